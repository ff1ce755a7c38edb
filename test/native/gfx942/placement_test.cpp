#include "check.h"
#include "shipped_kernel.h"
#include "topology/synthetic_maps.h"

using namespace gfx942;
using ::monokernel::GpuDriver;
using ::monokernel::PageMap;

// Weights placed by a page map, as the shipped kernel reads them: every workgroup only pages of its own home.

namespace {

constexpr u32 homes = 4; // of eight dies in pairs

/// The memory of a box's devices, each with a rotation of its own, and how far away its weights are read from.
class Memory {
public:
    explicit Memory(uint64_t seed) : map_(homes, synthetic::fourHomes(seed)) {}

    /// What the executor is told: the truth, but for `error` pages.
    ::monokernel::PageHomes homesWithError(uint32_t error) {
        return {map_, [this, error](GpuDriver &, uint64_t address, uint64_t bytes) {
                    const auto rotation = static_cast<uint32_t>(77 + 500 * weights_.size());
                    weights_.push_back({address, bytes, map_.rotated(rotation)});
                    return map_.rotated(rotation + error);
                }};
    }
    /// The allocations cannot be located.
    ::monokernel::PageHomes unknownPlaces() const {
        return {map_, [](GpuDriver &, uint64_t, uint64_t) { return PageMap(); }};
    }

    void read(u32 die, u64 address) {
        for (const Weights &weights : weights_) {
            if (address - weights.begin < weights.bytes) {
                const u32 home = weights.map.homeOf((address - weights.begin) / PageMap::pageBytes);
                (home == die * homes / dies ? near_ : far_)++;
                return;
            }
        }
        elsewhere_++;
    }

    u64 near() const { return near_; }
    u64 far() const { return far_; }
    u64 elsewhere() const { return elsewhere_; }

private:
    struct Weights {
        u64 begin, bytes;
        PageMap map;
    };
    PageMap map_;
    std::vector<Weights> weights_;
    u64 near_ = 0, far_ = 0, elsewhere_ = 0;
};

std::filesystem::path goldenFolder(const std::string &name) { return std::filesystem::path(MONOKERNEL_GOLDEN) / name; }

struct Box {
    u32 devices, computeUnits;
    u64 seed;
};

TranslatedExecutor open(const std::string &name, const Box &box, const ::monokernel::PageHomes &pageHomes,
                        std::function<void(u32, u64)> streamed) {
    TranslationOptions options{.computeUnits = box.computeUnits, .seed = box.seed, .slice = 300};
    options.streamed = std::move(streamed);
    return {goldenFolder(name), translatedDevices(box.devices, options, 200), pageHomes};
}

/// The logits of two tokens, which run by themselves, and between them a step of five; true if all is to the bit what
/// `plain` gives.
bool sameAs(::monokernel::Executor &plain, ::monokernel::Executor &placed, const golden::Folder &expected) {
    const std::span prompt = std::span(expected.prompt).first(std::min<size_t>(expected.prompt.size(), 7));
    const std::vector<uint32_t> positions{0, static_cast<uint32_t>(prompt.size() - 1)};
    return plain.logits(1, prompt, positions, 16) == placed.logits(1, prompt, positions, 16);
}

} // namespace

TEST(placementLetsEveryDieReadFromItsOwnHome) {
    const std::vector<std::string> names = golden::folderNames();
    for (size_t i = 0; i < names.size(); i++) {
        const golden::Folder expected = golden::readFolder(goldenFolder(names[i]));
        const Box box{1, i % 2 == 0 ? 16u : 8u, i};
        const TranslatedExecutor plain = open(names[i], box, {}, {});
        Memory memory(i);
        const TranslatedExecutor placed =
            open(names[i], box, memory.homesWithError(0), [&](u32 die, u64 address) { memory.read(die, address); });
        CHECK_MESSAGE(sameAs(*plain.executor, *placed.executor, expected), names[i]);
        CHECK_MESSAGE(memory.near() > 0 && memory.far() == 0 && memory.elsewhere() == 0,
                      names[i] + ": " + std::to_string(memory.far()) + " of " +
                          std::to_string(memory.near() + memory.far()) + " reads from other homes");
    }
}

TEST(placementHoldsOnEachOfSeveralDevices) {
    const golden::Folder expected = golden::readFolder(goldenFolder("laneformer-delay2"));
    const TranslatedExecutor plain = open("laneformer-delay2", {1, 16, 3}, {}, {});
    Memory memory(1);
    const TranslatedExecutor placed = open("laneformer-delay2", {2, 16, 4}, memory.homesWithError(0),
                                           [&](u32 die, u64 address) { memory.read(die, address); });
    CHECK(sameAs(*plain.executor, *placed.executor, expected));
    CHECK(memory.near() > 0 && memory.far() == 0 && memory.elsewhere() == 0);
}

/// A wrong map costs speed, never a token, and the tests above would see it.
TEST(placementByAWrongMapIsSlowOnly) {
    const golden::Folder expected = golden::readFolder(goldenFolder("laneformer-delay2"));
    const TranslatedExecutor plain = open("laneformer-delay2", {1, 16, 5}, {}, {});
    Memory memory(2);
    const TranslatedExecutor wrong = open("laneformer-delay2", {1, 16, 6}, memory.homesWithError(1),
                                          [&](u32 die, u64 address) { memory.read(die, address); });
    CHECK(sameAs(*plain.executor, *wrong.executor, expected));
    CHECK(memory.far() > memory.near());
    const TranslatedExecutor unknown = open("laneformer-delay2", {1, 16, 7}, memory.unknownPlaces(), {});
    CHECK(sameAs(*plain.executor, *unknown.executor, expected));
}

/// Another number of compute units than the dies can share evenly: roles do not tell dies apart, so nothing is placed.
TEST(placementNeedsDiesThatRolesTellApart) {
    const golden::Folder expected = golden::readFolder(goldenFolder("laneformer-delay2"));
    const TranslatedExecutor plain = open("laneformer-delay2", {1, 12, 8}, {}, {});
    bool asked = false;
    const ::monokernel::PageHomes pageHomes{PageMap(homes, synthetic::fourHomes(3)),
                                            [&](GpuDriver &, uint64_t, uint64_t) {
                                                asked = true;
                                                return PageMap();
                                            }};
    const TranslatedExecutor placed = open("laneformer-delay2", {1, 12, 9}, pageHomes, {});
    CHECK(sameAs(*plain.executor, *placed.executor, expected) && !asked);
}
