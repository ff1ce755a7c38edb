// The host's side of the GPU engine: a plan lowered to devices, and a device that is no use.

#include "check.h"
#include "exec/gpu/gpu_layout.h"
#include "exec/gpu/matrix_packing.h"
#include "golden_agreement.h"

#include <array>
#include <vector>

using namespace monokernel;

void checkBuffers(const GpuLayout &layout) {
    const kernel::Parameters &p = layout.parameters;
    std::vector<uint64_t> own;
    for (const kernel::PackedMatrix &m : p.matrices) {
        own.push_back(m.tiles);
    }
    for (const kernel::PackedMatrix &m : p.matrices) {
        if (layout.target.paged) {
            own.push_back(m.pages);
        }
    }
    own.insert(own.end(), {p.embedding,
                           p.attentionNorm,
                           p.ffnNorm,
                           p.finalNorm,
                           p.qkvBias,
                           p.qkNorm,
                           p.rope,
                           p.peers,
                           p.tickets,
                           p.queryKeyValue,
                           p.attention,
                           p.activation,
                           p.outputUpdate,
                           p.downUpdate,
                           p.headSum,
                           p.summaries,
                           p.prefillScale,
                           p.prefillQueryKeyValue,
                           p.prefillCached,
                           p.prefillAttention,
                           p.normedReady,
                           p.headsReady,
                           p.activationReady,
                           p.prefillNormed,
                           p.prefillHeads,
                           p.prefillActivation,
                           p.prefillResidual,
                           p.residual,
                           p.tokens,
                           p.wanted,
                           p.stopTokens,
                           p.keys,
                           p.values,
                           layout.ownBytes});
    const std::vector<uint64_t> mailboxes{p.abort,           p.outputPartial,    p.downPartial, p.headLanes,
                                          p.deviceSummaries, p.logits,           p.decision,    p.prefillPartial,
                                          p.logitsOut,       layout.mailboxBytes};
    for (const std::vector<uint64_t> &order : {own, mailboxes}) {
        CHECK(std::is_sorted(order.begin(), order.end()) &&
              std::adjacent_find(order.begin(), order.end()) == order.end());
    }
    CHECK(layout.ownBytes >= p.values + p.slotHalves * 2 * 2 && layout.sharedBytes <= layout.target.sharedBytes);
    kernel::Parameters moved = p;
    rebase(moved, 1ull << 40, 1ull << 41);
    CHECK(moved.values == p.values + (1ull << 40) && moved.matrices[4].tiles == p.matrices[4].tiles + (1ull << 40));
    CHECK(moved.abort == p.abort + (1ull << 41) && moved.logitsOut == p.logitsOut + (1ull << 41));
    CHECK(moved.weights == 1ull << 40 && moved.matrices[4].pages == p.matrices[4].pages + (1ull << 40));
}

/// A Laneformer of eight lanes with long contexts, so that nothing but the grid limits how it is cut.
Plan largePlan(uint32_t hidden = 1024, uint32_t heads = 16, uint32_t ffn = 4096) {
    ModelSpec spec;
    spec.family = Family::laneformer;
    spec.vocabularySize = 32000;
    spec.hiddenSize = hidden;
    spec.layerCount = 2;
    spec.headCount = heads;
    spec.kvHeadCount = 16;
    spec.headDim = hidden / heads;
    spec.ffnSize = ffn;
    spec.maxPositions = 8192;
    spec.ropeInverseFrequency.assign(spec.headDim / 2, 1.0f);
    spec.laneCount = 8;
    spec.broadcastDelay = 2;
    spec.useEarlyComm = false;
    return makePlan(spec);
}

/// As far as a layout cares, a card with 46 multiprocessors.
const GpuDevice graphicsCard{.target = "sm_80", .name = "test", .computeUnits = 46, .sharedBytes = 99 << 10};

TEST(buffersDoNotOverlap) {
    for (const std::string &name : golden::folderNames()) {
        const Plan plan = makePlan(Model::open(std::filesystem::path(MONOKERNEL_GOLDEN) / name).spec());
        checkBuffers(layOut(plan, {"sm_90", "test", 0, 132, 0}, {{}, 2, 0}));
        checkBuffers(layOut(plan, {"gfx942", "test", 0, 304, 0}, {{}, 2, 0}));
        checkBuffers(layOut(plan, graphicsCard, {{}, 2, 0}));
    }
}

/// What the order of sums depends on is the same for every number of devices, and their shares make up the whole.
TEST(theNumberOfDevicesChangesNoOrderOfSums) {
    const Plan plan = largePlan();
    for (const auto &[target, units] : {std::pair{"sm_90", 132u}, {"gfx942", 304u}, {"gfx942", 40u}, {"gfx942", 6u}}) {
        const GpuDevice device{target, "test", 0, units, 0};
        const kernel::Parameters one = layOut(plan, device, {{}, 1, 0}).parameters;
        for (const uint32_t devices : {2u, 4u, 8u}) {
            const kernel::Parameters p = layOut(plan, device, {{}, 1, 0}, devices).parameters;
            CHECK(p.chunks == one.chunks && p.lanes * devices == one.lanes && p.allLanes == one.lanes);
            for (uint32_t i = 0; i < kernel::matrixCount; i++) {
                CHECK(p.matrices[i].depthWavesLog2 == one.matrices[i].depthWavesLog2 &&
                      p.matrices[i].waveChunks == one.matrices[i].waveChunks);
            }
        }
    }
    const std::string refusal = [&] {
        try {
            layOut(plan, {"sm_90", "test", 0, 132, 0}, {{}, 1, 0}, 3);
        } catch (const ExecutionError &error) {
            return std::string(error.what());
        }
        return std::string();
    }();
    CHECK_MESSAGE(refusal.find("8 lanes") != std::string::npos, refusal);
}

/// Bytes that one workgroup streams of all layers and the head.
uint64_t streamed(const GpuLayout &layout) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < kernel::matrixCount; i++) {
        const uint32_t layers = i == kernel::matrixHead ? 1 : layout.parameters.layers;
        bytes += memberBytes(layout.target, layout.parameters.matrices[i]) * layers;
    }
    return bytes;
}

/// Rows of a matrix that become one packed word, or are on their own.
uint32_t packedRows(uint32_t matrix) {
    return matrix == kernel::matrixGateUp                                   ? 4u
           : matrix == kernel::matrixOutput || matrix == kernel::matrixDown ? 2u
                                                                            : 1u;
}

/// Packed words have one writer: no workgroup or panel begins in the middle of one, nor a run of rows of a prefill step
/// in the middle of two rows.
TEST(packedWordsAreMadeByOneWorkgroup) {
    for (const auto &[hidden, heads, ffn] :
         {std::array{1024u, 16u, 4096u}, {3072u, 32u, 12288u}, {1536u, 16u, 8992u}}) {
        const Plan plan = largePlan(hidden, heads, ffn);
        for (const char *target : {"sm_80", "sm_90", "gfx942"}) {
            for (uint32_t units = 3; units <= 304; units += units < 40 ? 1 : 11) {
                for (const uint32_t devices : {1u, 4u}) {
                    const GpuLayout layout = layOut(plan, {target, "test", 0, units, 0}, {{}, 1, 0}, devices);
                    for (uint32_t i = 0; i < kernel::matrixCount; i++) {
                        const kernel::PackedMatrix &m = layout.parameters.matrices[i];
                        const uint32_t rows = packedRows(i), rowWaves = layout.target.waves() >> m.depthWavesLog2;
                        const uint32_t run = layout.target.tileBlocks / m.tileSteps * m.blockRows;
                        CHECK(m.memberRows % rows == 0 && (rows == 1 || run % 2 == 0) && m.blockRows <= 16);
                        CHECK(m.panels == 1 || rowWaves * m.waveRows % rows == 0);
                    }
                }
            }
        }
    }
}

/// The same matrices cut for `members` workgroups a lane.
GpuLayout cutFor(uint32_t members, GpuLayout layout) {
    for (uint32_t i = 0; i < kernel::matrixCount; i++) {
        kernel::PackedMatrix &m = layout.parameters.matrices[i];
        const uint32_t sharing = i == kernel::matrixHead ? members * layout.parameters.allLanes : members;
        m = chooseLayout(layout.target, m.laneRows, m.depth, sharing,
                         {.rowMultiple = packedRows(i), .depthWaves = 1u << m.depthWavesLog2});
    }
    return layout;
}

/// Workgroups that would carry little but padding are left out, and none of the others has much more to do for it.
TEST(paddingHasNoWorkgroupsOfItsOwn) {
    const Plan plan = largePlan(3072, 32, 12288);
    for (const auto &[units, devices, members] : {std::array{132u, 1u, 16u}, {132u, 2u, 32u}, {132u, 4u, 64u}}) {
        const GpuLayout layout = layOut(plan, {"sm_90", "test", 0, units, 0}, {{}, 1, 0}, devices);
        CHECK(layout.parameters.members == members);
        CHECK(streamed(layout) * members * 8 <
              1.01 * (2 * 8.0 * (768 + 384 + 3072 + 1536) * 3072 + 32000.0 * 3072) * 2);
    }
    for (uint32_t units = 8; units <= 304; units++) {
        const GpuLayout layout = layOut(plan, {"sm_90", "test", 0, units, 0}, {{}, 1, 0});
        const uint32_t all = units / 8, members = layout.parameters.members;
        CHECK(members <= all && members >= all - all / 6 && layout.parameters.workgroups == 8 * members);
        const uint64_t own = streamed(layout), ofAll = streamed(cutFor(all, layout));
        CHECK_MESSAGE(own * 16 <= ofAll * 17 && own * members <= ofAll * all, std::to_string(units) + " units");
    }
}

/// The grids of an MI300X for the 2B shape, which the machine model has too (bench/model/structures.ts).
TEST(anMi300xHasWorkgroupsThatTheRowsComeOutEvenOn) {
    const Plan plan = largePlan(3072, 32, 12288);
    for (const auto &[devices, workgroups] : {std::array{1u, 280u}, {2u, 280u}, {4u, 256u}, {8u, 256u}}) {
        const GpuLayout layout = layOut(plan, {"gfx942", "test", 0, 304, 0}, {{}, 1, 0}, devices);
        const double ideal = (2 * 8.0 * (768 + 384 + 3072 + 1536) * 3072 + 32000.0 * 3072) * 2 / devices;
        const double read = static_cast<double>(streamed(layout)) * layout.parameters.workgroups;
        CHECK_MESSAGE(layout.parameters.workgroups == workgroups && layout.parameters.xccs == 8,
                      std::to_string(devices) + ": " + std::to_string(layout.parameters.workgroups));
        CHECK_MESSAGE(read < 1.03 * ideal, std::to_string(devices) + ": " + std::to_string(read / ideal));
    }
}

/// A KV head's two queries have a workgroup each where no workgroup then has two units.
TEST(queriesAreDealtOutWhereThereIsAWorkgroupForEach) {
    for (const auto &[hidden, devices, parts] :
         {std::array{3072u, 1u, 1u}, {3072u, 2u, 2u}, {3072u, 8u, 2u}, {4096u, 8u, 2u}}) { // heads of 96 and of 128
        const Plan plan = largePlan(hidden, 32, 12288);
        const kernel::Parameters p = layOut(plan, {"sm_90", "test", 0, 132, 0}, {{}, 1, 0}, devices).parameters;
        CHECK(p.headGroup == 2 && p.laneHeads * p.chunks == 32);
        CHECK_MESSAGE(p.queryParts == parts, std::to_string(devices) + " devices, heads of " +
                                                 std::to_string(p.headDim) + ": " + std::to_string(p.queryParts));
        CHECK(p.queryPartsDivisor == kernel::divisorOf(parts));
    }
}

/// Lanes begin a token in turn where they share a memory and a layer takes long to read; else all at once, as where
/// they wait for each other anyway.
TEST(lanesBeginInTurnWhereALayerIsLarge) {
    const auto turnLanes = [](const Plan &plan, const char *target, uint32_t devices, std::optional<bool> inTurn) {
        const GpuOptions options{.slots = 1, .lanesInTurn = inTurn};
        return layOut(plan, {target, "test", 0, 132, 0}, options, devices).parameters.turnLanes;
    };
    const Plan large = largePlan(3072, 32, 12288), small = largePlan(); // 283 and 31 MB a layer
    for (const auto &[devices, atOnce] : {std::array{1u, 2u}, {2u, 1u}, {4u, 1u}, {8u, 1u}}) {
        CHECK(turnLanes(large, "sm_90", devices, {}) == atOnce);
        CHECK(turnLanes(large, "gfx942", devices, {}) == 8 / devices);
        CHECK(turnLanes(small, "sm_90", devices, {}) == 8 / devices);
        CHECK(turnLanes(large, "sm_90", devices, false) == 8 / devices);
        CHECK(turnLanes(small, "sm_90", devices, true) == atOnce);
    }
    ModelSpec summed = large.spec;
    summed.broadcastDelay = 0;
    CHECK(turnLanes(makePlan(summed), "sm_90", 1, {}) == 8);
}

TEST(gridsServeEveryLane) {
    const Model model = Model::open(std::filesystem::path(MONOKERNEL_GOLDEN) / "laneformer-delay2");
    const Plan plan = makePlan(model.spec());
    for (const auto &[units, workgroups, members, dies] : {std::array{1u, 1u, 1u, 1u},
                                                           {7u, 7u, 1u, 1u},
                                                           {8u, 8u, 1u, 8u},
                                                           {304u, 256u, 32u, 8u}, // of 38: rows come out even
                                                           {303u, 248u, 31u, 1u}}) {
        const kernel::Parameters p = layOut(plan, {"gfx942", "test", 0, units, 0}, {{}, 1, 0}).parameters;
        CHECK_MESSAGE(p.workgroups == workgroups && p.members == members && p.xccs == dies,
                      std::to_string(units) + " units: " + std::to_string(p.workgroups) + " workgroups");
    }
}

TEST(unknownTargetsAreNamed) {
    try {
        kernelTarget("gfx900");
        CHECK(false);
    } catch (const ExecutionError &error) {
        CHECK(std::string(error.what()).find("gfx900") != std::string::npos);
    }
}

TEST(aMachineWithoutADriverSaysSo) {
    std::string why;
    const std::vector<GpuDevice> devices = findGpuDevices(why);
    CHECK(!devices.empty() || (why.find("CUDA") != std::string::npos && why.find("HIP") != std::string::npos));
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
