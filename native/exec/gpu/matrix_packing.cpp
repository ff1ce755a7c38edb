#include "exec/gpu/matrix_packing.h"

#include <algorithm>
#include <cstring>

namespace monokernel {

namespace {

constexpr uint32_t chunkElements = 8; ///< bf16 values of a 16-byte load
constexpr uint32_t blockRows = 256;   ///< rows the kernel adds up between two barriers

uint32_t ceilDivide(uint32_t a, uint32_t b) { return (a + b - 1) / b; }
uint32_t roundUp(uint32_t a, uint32_t b) { return ceilDivide(a, b) * b; }

uint32_t log2Of(uint32_t power) {
    uint32_t log = 0;
    while (power >> (log + 1) != 0) {
        log++;
    }
    return log;
}

struct Cut {
    uint32_t rowLanesLog2, tileSteps, steps, groups, groupRows;
    uint64_t vectors;
};

Cut cutFor(const KernelTarget &target, uint32_t rows, uint32_t waveChunks, uint32_t rowLanesLog2, uint32_t tileSteps) {
    const uint32_t steps = roundUp(ceilDivide(waveChunks, 1u << rowLanesLog2), tileSteps);
    const uint32_t groupRows = (target.tileVectors / tileSteps) * (target.waveLanes >> rowLanesLog2);
    const uint32_t groups = std::max(1u, ceilDivide(rows, groupRows));
    const uint64_t vectors = static_cast<uint64_t>(groups) * steps * (target.tileVectors / tileSteps);
    return {rowLanesLog2, tileSteps, steps, groups, groupRows, vectors};
}

/// The cut with the least padding; among equals the one with the fewest lanes a row (fewest shuffles), then the most
/// rows a tile (each input element is read once for all of them).
Cut bestCut(const KernelTarget &target, uint32_t rows, uint32_t waveChunks) {
    Cut best{};
    for (uint32_t lanes = 0; lanes <= log2Of(target.waveLanes); lanes++) {
        for (uint32_t steps = 1; steps <= target.tileVectors; steps++) {
            if (target.tileVectors % steps != 0) {
                continue;
            }
            const Cut cut = cutFor(target, rows, waveChunks, lanes, steps);
            if (cut.groupRows <= blockRows && (best.vectors == 0 || cut.vectors < best.vectors)) {
                best = cut;
            }
        }
    }
    return best;
}

} // namespace

kernel::PackedMatrix chooseLayout(const KernelTarget &target, uint32_t laneRows, uint32_t depth, uint32_t members,
                                  uint32_t rowMultiple) {
    kernel::PackedMatrix matrix{};
    matrix.laneRows = laneRows;
    matrix.memberRows = roundUp(ceilDivide(laneRows, members), rowMultiple);
    matrix.depth = depth;
    matrix.waveChunks = ceilDivide(ceilDivide(depth, chunkElements), target.waves());
    const Cut cut = bestCut(target, matrix.memberRows, matrix.waveChunks);
    matrix.rowLanesLog2 = cut.rowLanesLog2;
    matrix.tileSteps = cut.tileSteps;
    matrix.steps = cut.steps;
    matrix.groups = cut.groups;
    matrix.blockGroups = std::max(1u, blockRows / cut.groupRows);
    matrix.waveTiles = cut.groups * (cut.steps / cut.tileSteps);
    return matrix;
}

uint64_t memberBytes(const KernelTarget &target, const kernel::PackedMatrix &matrix) {
    return static_cast<uint64_t>(matrix.waveTiles) * target.waves() * target.tileBytes();
}

void packMember(const KernelTarget &target, const kernel::PackedMatrix &matrix, uint32_t member, const RowSource &row,
                std::span<std::byte> out) {
    std::memset(out.data(), 0, out.size());
    const uint32_t rowLanes = 1u << matrix.rowLanesLog2, vectorRows = target.waveLanes >> matrix.rowLanesLog2;
    const uint32_t tileSteps = matrix.tileSteps, tileRows = target.tileVectors / tileSteps;
    const uint32_t tilesOfGroup = matrix.steps / tileSteps;
    const uint32_t first = std::min(member * matrix.memberRows, matrix.laneRows);
    const uint32_t count = std::min(matrix.memberRows, matrix.laneRows - first);
    const uint32_t chunks = ceilDivide(matrix.depth, chunkElements);
    for (uint32_t r = 0; r < count; r++) {
        const std::span<const uint16_t> values = row(first + r);
        const uint32_t group = r / (tileRows * vectorRows), inGroup = r % (tileRows * vectorRows);
        const uint32_t rowVector = inGroup / vectorRows, rowInVector = inGroup % vectorRows;
        for (uint32_t chunk = 0; chunk < chunks; chunk++) {
            const uint32_t wave = chunk / matrix.waveChunks, inWave = chunk % matrix.waveChunks;
            const uint32_t step = inWave / rowLanes, lane = rowInVector * rowLanes + inWave % rowLanes;
            const uint32_t tile = group * tilesOfGroup + step / tileSteps;
            const uint32_t vector = (step % tileSteps) * tileRows + rowVector;
            const uint64_t at = (static_cast<uint64_t>(tile) * target.waves() + wave) * target.tileBytes() +
                                (static_cast<uint64_t>(vector) * target.waveLanes + lane) * 16;
            const uint32_t elements = std::min(chunkElements, matrix.depth - chunk * chunkElements);
            std::memcpy(out.data() + at, values.data() + chunk * chunkElements, elements * sizeof(uint16_t));
        }
    }
}

} // namespace monokernel
