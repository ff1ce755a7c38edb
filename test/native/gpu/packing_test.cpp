// The host's side of the GPU engine: cutting and packing matrices, lowering a plan, a device that is no use.

#include "check.h"
#include "exec/gpu/gpu_layout.h"
#include "exec/gpu/matrix_packing.h"
#include "golden_agreement.h"

#include <cstring>
#include <vector>

using namespace monokernel;

namespace {

/// Multiplies as the kernel does: each wave its part, tile by tile, from the packed bytes.
std::vector<double> multiplyPacked(const KernelTarget &t, const kernel::PackedMatrix &m,
                                   const std::vector<std::byte> &packed, const std::vector<double> &x, uint32_t rows) {
    std::vector<double> y(rows, 0.0);
    const uint32_t rowBlocks = t.tileBlocks / m.tileSteps, blockBytes = m.blockRows * 64;
    const uint32_t tileBytes = t.tileBlocks * blockBytes;
    std::vector<bool> read(packed.size(), false);
    for (uint32_t wave = 0; wave < t.waves(); wave++) {
        const uint32_t part = wave % (1u << m.depthWavesLog2), rowWave = wave / (1u << m.depthWavesLog2);
        for (uint32_t tile = 0; tile < m.waveFetches * m.fetchTiles; tile++) {
            const uint32_t group = tile % m.groups, panel = tile / m.groups / (m.steps / m.tileSteps);
            const uint32_t firstStep = tile / m.groups % (m.steps / m.tileSteps) * m.tileSteps;
            for (uint32_t unit = 0; unit < t.tileBlocks * m.blockRows * 32; unit++) {
                const uint32_t block = unit / (m.blockRows * 32), row = unit / 32 % m.blockRows, k = unit % 32;
                const uint64_t at = (uint64_t{tile / m.fetchTiles} * t.waves() + wave) * m.fetchTiles * tileBytes +
                                    tile % m.fetchTiles * tileBytes + block * blockBytes +
                                    elementOffset(t, m.blockRows, row, k);
                CHECK(!read[at]);
                read[at] = true;
                uint16_t bits;
                std::memcpy(&bits, packed.data() + at, 2);
                const uint32_t inWave = (firstStep + block / rowBlocks) * 32 + k;
                const uint32_t index = part * m.waveChunks * 8 + inWave;
                const uint32_t memberRow = (panel * (t.waves() / (1u << m.depthWavesLog2)) + rowWave) * m.waveRows +
                                           (group * rowBlocks + block % rowBlocks) * m.blockRows + row;
                const bool real = memberRow < rows && inWave < m.waveChunks * 8 && index < m.depth;
                CHECK(real || bits == 0);
                if (real) {
                    y[memberRow] += x[index] * bits;
                }
            }
        }
    }
    return y;
}

void checkPacking(const KernelTarget &target, uint32_t laneRows, uint32_t depth, uint32_t members,
                  const CutRules &rules) {
    const kernel::PackedMatrix m = chooseLayout(target, laneRows, depth, members, rules);
    CHECK(m.steps % m.tileSteps == 0 && target.tileBlocks % m.tileSteps == 0 && m.blockRows <= 16);
    CHECK(m.waveRows * (target.waves() / (1u << m.depthWavesLog2)) <= 256 && m.groups <= target.maxGroups);
    CHECK(!rules.ownSlices || (1u << m.depthWavesLog2) == target.waves());
    const bool oneRun = m.groups * m.panels * (target.waves() / (1u << m.depthWavesLog2)) == 1;
    const uint32_t panelTiles = m.steps / m.tileSteps * m.groups;
    CHECK(m.fetchTiles > 0 && panelTiles % m.fetchTiles == 0 && (m.groups == 1 || m.fetchTiles == 1));
    CHECK(m.waveFetches * m.fetchTiles == m.panels * panelTiles);
    CHECK(m.fetchTiles * target.tileBlocks * m.blockRows * 64 <= target.maxTileBytes());
    CHECK(oneRun || target.tileBlocks / m.tileSteps * m.blockRows % rules.rowMultiple == 0);
    std::vector<double> x(depth);
    for (uint32_t k = 0; k < depth; k++) {
        x[k] = 1 + k % 7;
    }
    std::vector<uint16_t> values(depth);
    const auto row = [&](uint32_t r) {
        for (uint32_t k = 0; k < depth; k++) {
            values[k] = static_cast<uint16_t>(1 + (r * 31 + k * 17) % 251);
        }
        return std::span<const uint16_t>(values);
    };
    for (uint32_t member = 0; member < members; member++) {
        const uint32_t first = std::min(member * m.memberRows, laneRows),
                       count = std::min(m.memberRows, laneRows - first);
        std::vector<std::byte> packed(memberBytes(target, m), std::byte{0xff});
        packMember(target, m, member, row, packed);
        const std::vector<double> y = multiplyPacked(target, m, packed, x, count);
        for (uint32_t r = 0; r < count; r++) {
            double expected = 0.0;
            const std::span<const uint16_t> w = row(first + r);
            for (uint32_t k = 0; k < depth; k++) {
                expected += x[k] * w[k];
            }
            CHECK(y[r] == expected);
        }
    }
}

} // namespace

TEST(everyWeightIsPackedOnceWhereTheKernelReadsIt) {
    for (const char *name : {"gfx942", "sm_90"}) {
        for (const auto &[rows, depth, members] : {std::array{48u, 3072u, 1u},
                                                   {37u, 136u, 3u},
                                                   {5u, 16u, 2u},
                                                   {3u, 8u, 4u},
                                                   {64u, 384u, 1u},
                                                   {160u, 320u, 1u},
                                                   {243u, 512u, 1u},
                                                   {7u, 1160u, 1u}}) {
            for (const CutRules &rules : {CutRules{}, {1, true}, {2, true}}) {
                checkPacking(kernelTarget(name), rows, depth, members, rules);
            }
        }
    }
}

TEST(theLargeShapeHasNoPaddingToSpeakOf) {
    const KernelTarget &target = kernelTarget("sm_90");
    for (const auto &[rows, depth] : {std::array{768u, 3072u}, {3072u, 384u}, {3072u, 3072u}, {3072u, 1536u}}) {
        const kernel::PackedMatrix m = chooseLayout(target, rows, depth, 16, {});
        CHECK(memberBytes(target, m) * 16 == uint64_t{rows} * depth * 2);
    }
}

TEST(smallTilesAreFetchedTogetherWhereThereIsARing) {
    const auto fetchTiles = [](const char *name, uint32_t rows, uint32_t depth, uint32_t members) {
        return chooseLayout(kernelTarget(name), rows, depth, members, {.ownSlices = true}).fetchTiles;
    };
    CHECK(fetchTiles("sm_90", 768, 3072, 16) == 1);  // whole tiles
    CHECK(fetchTiles("sm_90", 768, 3072, 32) == 2);  // 24 rows a workgroup: tiles of half the size
    CHECK(fetchTiles("sm_90", 768, 3072, 128) == 2); // a block of 6 rows, three steps a tile
    CHECK(fetchTiles("gfx942", 768, 3072, 128) == 1);
}

/// Without it the last matrix of a Llama of 1.5B was cut into 35 fetches of 768 bytes a wave, one of 1B's into 43.
TEST(aLittlePaddingIsTakenForLargerFetches) {
    struct Case {
        uint32_t rows, depth;
    };
    const KernelTarget &target = kernelTarget("sm_90");
    for (const auto &[rows, depth] : {Case{1536, 8960}, {2048, 8192}, {2048, 11008}, {4096, 4096}, {896, 4864}}) {
        const kernel::PackedMatrix m = chooseLayout(target, rows, depth, 128, {.rowMultiple = 2});
        const uint64_t bytes = memberBytes(target, m), fetches = uint64_t{m.waveFetches} * target.waves();
        CHECK(bytes / fetches >= 1536);
        CHECK(bytes * 8 <= uint64_t{m.memberRows} * depth * 2 * 9); // an eighth of padding at most
    }
}

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
