#include "exec/gpu/matrix_packing.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace monokernel {

using kernel::PackedMatrix;

namespace {

constexpr uint32_t chunkElements = 8; ///< bf16 values of a 16-byte load
constexpr uint32_t stepChunks = 4;    ///< chunks of a step
constexpr uint32_t maxBlockRows = 16;
constexpr uint32_t maxPanelRows = 256; ///< rows of a workgroup's panel, as in kernel/matrix_product.h
constexpr uint64_t tileCost = 128;     ///< bytes that might come while a wave turns to another tile

uint32_t ceilDivide(uint32_t a, uint32_t b) { return (a + b - 1) / b; }
uint32_t roundUp(uint32_t a, uint32_t b) { return ceilDivide(a, b) * b; }

uint32_t bytesOfTile(const KernelTarget &target, const PackedMatrix &m) {
    return target.tileBlocks * m.blockRows * stepChunks * chunkElements * 2;
}

/// Tiles of a panel that a wave fetches at once: as many as a slot of the ring holds. Small ones one by one would leave
/// the ring half empty, and each fetch costs a wait and an order.
uint32_t tilesOfFetch(const KernelTarget &target, const PackedMatrix &m) {
    const bool several = target.maxRingSlots > 0 && m.groups == 1;
    uint32_t tiles = several ? target.maxTileBytes() / bytesOfTile(target, m) : 1;
    while (m.steps / m.tileSteps % tiles != 0) {
        tiles--;
    }
    return tiles;
}

/// The cut into panels of `groups` tiles with `rowBlocks` row blocks; no rows in a block if there is none.
PackedMatrix cutFor(const KernelTarget &target, PackedMatrix m, uint32_t rowBlocks, uint32_t groups,
                    const CutRules &rules) {
    const uint32_t rowWaves = target.waves() / (1u << m.depthWavesLog2);
    m.tileSteps = target.tileBlocks / rowBlocks;
    m.groups = groups;
    m.waveChunks = ceilDivide(ceilDivide(m.depth, chunkElements), (1u << m.depthWavesLog2));
    m.steps = roundUp(ceilDivide(m.waveChunks, stepChunks), m.tileSteps);
    m.panels = ceilDivide(m.memberRows, rowWaves * groups * rowBlocks * maxBlockRows);
    m.blockRows = ceilDivide(m.memberRows, rowWaves * groups * rowBlocks * m.panels);
    const uint32_t blockMultiple =
        target.waveLanes == 64 && (rules.rowMultiple == 1 || rowBlocks % 2 == 0) ? 1 : 2; // a run's pairs lie together
    m.blockRows = roundUp(m.blockRows, blockMultiple);
    while (m.panels > 1 && rowWaves * groups * rowBlocks * m.blockRows % rules.rowMultiple != 0) {
        m.blockRows += blockMultiple; // ends at 16 at the latest, a multiple of all
    }
    m.waveRows = groups * rowBlocks * m.blockRows;
    m.fetchTiles = tilesOfFetch(target, m);
    m.waveFetches = m.panels * (m.steps / m.tileSteps) * groups / m.fetchTiles;
    return m;
}

/// What a cut costs a token, in bytes: those that it streams; about a microsecond's streaming for another panel; and
/// where weights are fetched into a ring, those of the input that waves bring, and a part of what a fetch and a tile
/// take a wave: 0.1 microseconds each, as long as 450 bytes take to come, but partly hidden behind them.
uint64_t costOf(const KernelTarget &target, const PackedMatrix &m) {
    const uint64_t streamed = memberBytes(target, m) + (m.panels - 1) * uint64_t{4096};
    if (target.maxRingSlots == 0) {
        return streamed;
    }
    const uint64_t tiles = uint64_t{m.waveFetches} * m.fetchTiles;
    return streamed + 2 * stagedElements(target, m) + (tiles + m.waveFetches) * target.waves() * tileCost;
}

} // namespace

PackedMatrix chooseLayout(const KernelTarget &target, uint32_t laneRows, uint32_t depth, uint32_t members,
                          const CutRules &rules) {
    PackedMatrix best{}, start{};
    start.laneRows = laneRows;
    start.memberRows = roundUp(ceilDivide(laneRows, members), rules.rowMultiple);
    start.depth = depth;
    const uint32_t most = rules.depthWaves != 0 ? rules.depthWaves : target.waves();
    const uint32_t fewest = rules.depthWaves != 0 ? rules.depthWaves : rules.ownSlices ? target.waves() : 1;
    for (uint32_t waves = most; waves >= fewest; waves /= 2) {
        start.depthWavesLog2 = static_cast<uint32_t>(std::countr_zero(waves));
        for (uint32_t rowBlocks = target.tileBlocks; rowBlocks > 0; rowBlocks--) {
            if (target.tileBlocks % rowBlocks != 0) {
                continue;
            }
            for (uint32_t groups = 1; groups <= (rowBlocks == target.tileBlocks ? target.maxGroups : 1); groups++) {
                const PackedMatrix m = cutFor(target, start, rowBlocks, groups, rules);
                const bool fits = target.waves() / (1u << m.depthWavesLog2) * m.waveRows <= maxPanelRows &&
                                  stagedElements(target, m) <= rules.mostStaged;
                if (fits && (best.panels == 0 || costOf(target, m) < costOf(target, best))) {
                    best = m;
                }
            }
        }
    }
    if (best.panels == 0 && rules.mostStaged != ~0u) { // too wide in any case
        CutRules anyRoom = rules;
        anyRoom.mostStaged = ~0u;
        return chooseLayout(target, laneRows, depth, members, anyRoom);
    }
    return best;
}

uint32_t stagedElements(const KernelTarget &target, const PackedMatrix &matrix) {
    return target.waves() * matrix.steps * stepChunks * chunkElements;
}

uint64_t memberBytes(const KernelTarget &target, const PackedMatrix &matrix) {
    return static_cast<uint64_t>(matrix.waveFetches) * matrix.fetchTiles * target.waves() * bytesOfTile(target, matrix);
}

uint32_t elementOffset(const KernelTarget &target, uint32_t blockRows, uint32_t row, uint32_t element) {
    const uint32_t chunk = element / chunkElements, inChunk = element % chunkElements;
    if (target.waveLanes == 64) { // a lane's 16 bytes: a row's chunk
        return (chunk * blockRows + row) * 16 + inChunk * 2;
    }
    // A lane's 16 bytes: half a chunk of two rows that lie half a block apart, in pairs of elements.
    const uint32_t half = blockRows / 2, piece = inChunk / 4 * half * stepChunks + row % half * stepChunks + chunk;
    return piece * 16 + inChunk % 4 / 2 * 8 + row / half * 4 + inChunk % 2 * 2;
}

void packMember(const KernelTarget &target, const PackedMatrix &m, uint32_t member, const RowSource &row,
                std::span<std::byte> out) {
    std::memset(out.data(), 0, out.size());
    const uint32_t rowBlocks = target.tileBlocks / m.tileSteps, tileBytes = bytesOfTile(target, m);
    const uint32_t blockBytes = tileBytes / target.tileBlocks;
    const uint32_t rowWaves = target.waves() / (1u << m.depthWavesLog2), chunks = ceilDivide(m.depth, chunkElements);
    const uint32_t first = std::min(member * m.memberRows, m.laneRows);
    const uint32_t count = std::min(m.memberRows, m.laneRows - first);
    for (uint32_t r = 0; r < count; r++) {
        const std::span<const uint16_t> values = row(first + r);
        const uint32_t panel = r / (rowWaves * m.waveRows), rowWave = r / m.waveRows % rowWaves;
        const uint32_t block = r % m.waveRows / m.blockRows, inBlock = r % m.blockRows;
        for (uint32_t chunk = 0; chunk < chunks; chunk++) {
            const uint32_t inWave = chunk % m.waveChunks, step = inWave / stepChunks;
            const uint32_t wave = (rowWave << m.depthWavesLog2) + chunk / m.waveChunks;
            const uint32_t tile = (panel * (m.steps / m.tileSteps) + step / m.tileSteps) * m.groups + block / rowBlocks;
            const uint64_t fetch = tile / m.fetchTiles * target.waves() + wave;
            std::byte *at = out.data() + (fetch * m.fetchTiles + tile % m.fetchTiles) * tileBytes +
                            (step % m.tileSteps * rowBlocks + block % rowBlocks) * blockBytes;
            const uint32_t elements = std::min(chunkElements, m.depth - chunk * chunkElements);
            for (uint32_t i = 0; i < elements; i += 2) { // pairs lie together on every target; the depth is even
                const uint32_t element = inWave % stepChunks * chunkElements + i;
                std::memcpy(at + elementOffset(target, m.blockRows, inBlock, element),
                            values.data() + chunk * chunkElements + i, 2 * sizeof(uint16_t));
            }
        }
    }
}

} // namespace monokernel
