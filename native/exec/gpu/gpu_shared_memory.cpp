#include "exec/gpu/gpu_shared_memory.h"

#include "exec/executor.h"
#include "exec/gpu/matrix_packing.h"

#include <algorithm>
#include <string>

namespace monokernel {

namespace {

using kernel::PackedMatrix;
using kernel::Parameters;

constexpr uint32_t maxQueriesOfPass = 2; ///< query heads that share a pass over the cache, as in kernel/softmax.h
constexpr uint32_t partialRows = 256;    ///< rows of a panel, as in kernel/matrix_product.h
constexpr uint32_t floatBytes = 4;
constexpr uint32_t lineFloats = 32; ///< the ring begins at a multiple
constexpr uint32_t fewestSlots = 4; ///< of a ring, for a roomy cache: with fewer decoding loses more than prompts gain

uint32_t roundUp(uint32_t value, uint32_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// What `value` is above `base`, if it is.
uint32_t above(uint32_t value, uint32_t base) { return value - std::min(value, base); }

/// Of a panel's partial sums.
uint32_t panelFloats(const KernelTarget &target) { return target.waves() * partialRows; }
/// Norm sums of two phases, and a softmax's weights for each wave.
uint32_t sumFloats(const KernelTarget &target) {
    return 2 * target.waves() + target.waves() * maxQueriesOfPass * target.waveLanes;
}

uint32_t slotBytes(const KernelTarget &target) { return target.waves() * (target.maxTileBytes() + 8); }
uint32_t shortestRing(const KernelTarget &target) { return (target.maxRingSlots == 0 ? 0 : 2) * slotBytes(target); }

/// As many fetches as there is room for, but not so many that the cache has little: measured, prompts gain 7 to 8 % and
/// decoding loses 0.4 to 1.4 % with a fetch less (docs/performance.md).
uint32_t slotsOfRing(const KernelTarget &target, uint32_t used) {
    const uint32_t most = std::min(target.maxRingSlots, (target.sharedBytes - used) / slotBytes(target));
    const uint32_t roomy = above(target.roomyBytes, used) / slotBytes(target);
    return std::min(most, std::max(roomy, fewestSlots));
}

/// Two panels' partial sums take turns: one after the other, or, if none has more than half the rows, side by side.
/// Returns what they take.
uint32_t describePartials(Parameters &p, const KernelTarget &target) {
    const bool narrow = std::ranges::all_of(p.matrices, [&](const PackedMatrix &m) {
        return (target.waves() >> m.depthWavesLog2) * m.waveRows <= partialRows / 2;
    });
    p.partialPitch = narrow ? partialRows / 2 : panelFloats(target);
    return (narrow ? 1 : 2) * panelFloats(target);
}

/// A prefill step's tokens are dealt out to the workgroups that are there for a KV head and chunk, but at most
/// `mostTokens` to one at once. Returns how many it has at most.
uint32_t describeTokenShares(Parameters &p, uint32_t mostTokens) {
    constexpr uint32_t tokens = kernel::maxPrefillTokens;
    const uint32_t fewest = (tokens + mostTokens - 1) / mostTokens;
    p.tokenShares = std::clamp(p.members / (p.laneKvHeads * p.chunks), std::min(fewest, tokens), tokens);
    p.tokenSharesDivisor = kernel::divisorOf(p.tokenShares);
    return (tokens + p.tokenShares - 1) / p.tokenShares;
}

} // namespace

uint32_t mostStagedElements(const KernelTarget &target) {
    const uint32_t others = (2 * panelFloats(target) + sumFloats(target) + 4 + lineFloats) * floatBytes;
    return above(target.sharedBytes, shortestRing(target) + others) / floatBytes;
}

void describeSharedMemory(GpuLayout &layout) {
    Parameters &p = layout.parameters;
    const KernelTarget &target = layout.target;
    uint32_t stage = 0; // 4 bytes an element: two bf16 parts
    for (const PackedMatrix &m : p.matrices) {
        stage = std::max(stage, stagedElements(target, m));
    }
    const uint32_t sums = target.waves() * target.tileBlocks * 16 * kernel::maxPrefillTokens; // of a prefill group
    p.scratchOffset = 0;
    const uint32_t vectors = (p.headGroup + 2) * p.headDim; // of a token's attention
    const uint32_t merging = target.waves() * maxQueriesOfPass * (p.headDim + 2), cached = target.waves() * p.headDim;
    const uint32_t room = std::max({stage, sums, vectors + merging, cached, 64 * target.waves()});
    const uint32_t tokens = describeTokenShares(p, (room - merging) / vectors);
    p.partialOffset = roundUp(room, 4);
    const uint32_t partials = describePartials(p, target);
    // Attention has no partial sums, and gets what they and a full ring leave.
    const uint32_t behind = target.maxRingSlots * slotBytes(target) / floatBytes + sumFloats(target) + lineFloats;
    const uint32_t end = p.partialOffset + partials, most = p.partialOffset + 2 * panelFloats(target);
    p.sumsOffset = std::clamp(above(target.roomyBytes / floatBytes, behind) / 4 * 4, end, most);
    p.attentionSlots = (p.sumsOffset - tokens * vectors) / merging;
    p.ringOffset = roundUp(p.sumsOffset + sumFloats(target), lineFloats);
    const uint32_t used = p.ringOffset * floatBytes, least = used + shortestRing(target);
    if (least > target.sharedBytes) {
        throw LaneTooWideError("this model cannot run on the GPU: a workgroup needs " + std::to_string(least) +
                               " bytes of shared memory, the device has " + std::to_string(target.sharedBytes));
    }
    p.ringSlots = slotsOfRing(target, used);
    layout.sharedBytes = used + p.ringSlots * slotBytes(target);
}

} // namespace monokernel
