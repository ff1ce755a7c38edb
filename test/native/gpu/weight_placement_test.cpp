// Where the parts of the weight matrices lie on a paged target, and what the product makes of a kept calibration.

#include "check.h"
#include "exec/gpu/calibrated_homes.h"
#include "exec/gpu/calibration_key.h"
#include "exec/gpu/gpu_layout.h"
#include "exec/gpu/weight_placement.h"
#include "golden_agreement.h"
#include "topology/synthetic_maps.h"

#include <algorithm>
#include <cstdio>
#include <set>

using namespace monokernel;

namespace {

const GpuDevice mi300x{"gfx942", "test", 0, 304, 0, "1"};

/// The published map's shape for four homes; two homes of different size; one that repeats soon.
std::vector<PageMap> maps() {
    return {PageMap(4, synthetic::fourHomes(1)), PageMap(2, synthetic::twoHomes(2)),
            PageMap(4, synthetic::pattern({3, 9, 5, 2}, 3))};
}

std::vector<Plan> plans() {
    std::vector<Plan> plans;
    for (const std::string &name : golden::folderNames()) {
        plans.push_back(makePlan(Model::open(std::filesystem::path(MONOKERNEL_GOLDEN) / name).spec()));
    }
    plans.push_back(makePlan(Model::open(std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano").spec()));
    return plans;
}

GpuLayout layOutBy(const Plan &plan, const PageMap &map, uint32_t devices) {
    GpuOptions options;
    options.pageHomes = {map, [](GpuDriver &, uint64_t, uint64_t) { return PageMap(); }};
    return layOut(plan, mi300x, options, devices);
}

/// Whoever runs part i of a layer runs on this die: parts are handed out in order, the same number to each die.
uint32_t dieOf(uint32_t part, uint32_t parts) { return part * 8 / parts; }

/// Every part of every layer lies in pages of its own, at home and in its layer's memory.
void checkPlacement(const GpuLayout &layout, const PageMap &located) {
    const kernel::Parameters &p = layout.parameters;
    std::set<uint32_t> taken;
    uint64_t pages = 0, remote = 0, outside = 0;
    for (uint32_t i = 0; i < kernel::matrixCount; i++) {
        const auto matrix = static_cast<kernel::Matrix>(i);
        const kernel::PackedMatrix &m = p.matrices[i];
        for (uint32_t layer = 0; layer < (matrix == kernel::matrixHead ? 1 : p.layers); layer++) {
            const std::vector<uint32_t> placed = placeLayer(p, matrix, layer, located);
            CHECK(placed.size() == uint64_t{partsOf(p, matrix)} * m.partPages);
            const uint64_t begin = (m.tiles + layer * m.layerBytes) / kernel::pageBytes;
            for (uint32_t at = 0; at < placed.size(); at++) {
                const uint32_t die = dieOf(at / m.partPages, partsOf(p, matrix));
                remote += located.homeOf(placed[at]) != die * located.homes() / 8 ? 1 : 0;
                outside += placed[at] < begin || placed[at] >= begin + m.layerBytes / kernel::pageBytes ? 1 : 0;
            }
            taken.insert(placed.begin(), placed.end());
            pages += placed.size();
        }
    }
    CHECK(taken.size() == pages && outside == 0);
    CHECK_MESSAGE(located.isIdentity() || remote == 0, std::to_string(remote) + " of " + std::to_string(pages));
}

} // namespace

TEST(partsLieAtHomeWhereverTheMemoryBegins) {
    for (const Plan &plan : plans()) {
        for (const uint32_t devices : {1u, plan.spec.laneCount}) {
            for (const PageMap &map : maps()) {
                const GpuLayout layout = layOutBy(plan, map, devices);
                CHECK(layout.parameters.xccs == 8 && !layout.pageMap.isIdentity());
                for (const uint32_t rotation : {0u, 1u, 900u}) {
                    checkPlacement(layout, map.rotated(rotation));
                }
                checkPlacement(layout, PageMap()); // could not be located
            }
        }
    }
}

TEST(withoutAMapPartsLieOneBehindTheOther) {
    for (const Plan &plan : plans()) {
        const GpuLayout layout = layOutBy(plan, PageMap(), 1);
        uint32_t next = 0;
        for (uint32_t i = 0; i < kernel::matrixCount; i++) {
            for (const uint32_t page : placeLayer(layout.parameters, static_cast<kernel::Matrix>(i), 0, PageMap())) {
                CHECK(i > 0 || page == next++);
            }
        }
        checkPlacement(layout, PageMap());
    }
}

/// What placing costs is memory: of the published map's shape little, for a model that streams for longer than the
/// pattern takes to repeat.
TEST(placingTakesLittleMemory) {
    const Plan nano = plans().back();
    const uint64_t placed = layOutBy(nano, PageMap(4, synthetic::fourHomes(4)), 1).weightBytes;
    const uint64_t anywhere = layOutBy(nano, PageMap(), 1).weightBytes;
    std::printf("     nano's weights: %.1f MB placed, %.1f anywhere\n", static_cast<double>(placed) * 1e-6,
                static_cast<double>(anywhere) * 1e-6);
    CHECK_MESSAGE(placed < anywhere * 1.25, std::to_string(placed) + " and " + std::to_string(anywhere) + " bytes");
}

TEST(aMapThatPlacesNothingIsLeftAlone) {
    const Plan plan = plans().front();
    CHECK(layOutBy(plan, PageMap(3, {0, 1, 0, 1}), 1).pageMap.isIdentity()); // a home without a page
    GpuOptions options;
    options.pageHomes.map = PageMap(4, synthetic::fourHomes(5));
    CHECK(layOut(plan, mi300x, options).pageMap.isIdentity()); // nobody can say where an allocation begins in it
    options.pageHomes.locate = [](GpuDriver &, uint64_t, uint64_t) { return PageMap(); };
    CHECK(layOut(plan, {"sm_90", "test", 0, 132, 0}, options).pageMap.isIdentity());
    CHECK(layOut(plan, {"gfx942", "test", 0, 300, 0}, options).pageMap.isIdentity()); // dies of unequal size
}

TEST(aKeptCalibrationIsUsedForItsOwnDevicesOnly) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "monokernel-placement-test";
    std::filesystem::remove_all(folder);
    const std::vector<GpuDevice> two{mi300x, {"gfx942", "test", 1, 304, 0, "1"}};
    std::string said;
    CHECK(calibratedHomes(two, folder, "kernels", said).map.isIdentity());
    CHECK_MESSAGE(said.find("never measured") != std::string::npos, said);

    const PageMap map(4, synthetic::fourHomes(6), 3);
    writeCalibration(folder, {.key = calibrationKey(mi300x), .map = map, .confidence = 1.0, .pages = 7168});
    said.clear();
    const PageHomes homes = calibratedHomes(two, folder, "kernels", said);
    CHECK(homes.map.pattern() == map.pattern() && homes.locate && said.empty());

    std::vector<GpuDevice> mixed = two;
    mixed.back().driver = "2";
    CHECK(calibratedHomes(mixed, folder, "kernels", said).map.isIdentity());
    CHECK_MESSAGE(said.find("differ") != std::string::npos, said);

    writeCalibration(folder, {.key = calibrationKey(mi300x), .reason = "the votes are not clear"});
    CHECK(calibratedHomes(two, folder, "kernels", said).map.isIdentity());
    CHECK_MESSAGE(said.find("the votes are not clear") != std::string::npos, said);

    said.clear();
    const std::vector<GpuDevice> nvidia{{"sm_90", "test", 0, 132, 0, "1"}};
    CHECK(calibratedHomes(nvidia, folder, "kernels", said).map.isIdentity() && said.empty());
    std::filesystem::remove_all(folder);
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
