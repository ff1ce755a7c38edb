#pragma once

#include "phase_order.h"
#include "waits.h"

// The phases of a step and where they keep what they hand over.

namespace monokernel::kernel {

/// The phase after `phase`.
DEV u32 nextPhase(u32 phase, bool prefill) {
    constexpr u32 skipping = 1 << phaseQkv | 1 << phaseAttention | 1 << phaseOutput;
    return phase + 1 + (prefill ? 0 : skipping >> phase & 1);
}

/// Where a step stands, uniform over the grid: a prefill step has several tokens.
struct Step {
    Parked position, count;
    Parked token; ///< of a decode step
    Parked row;   ///< of the wanted logits, or ~0 to choose a token
};

DEV u64 residualOf(Arguments &p, const Worker &w, u32 lane) {
    return p.residual + (static_cast<u64>(lane) * p.members + w.member) * p.hidden * 4;
}
DEV u64 normWeights(Arguments &p, u64 norms, u32 layer, u32 lane) {
    const u32 index = p.perLaneNorm != 0 ? layer * p.lanes + lane : layer;
    return norms + static_cast<u64>(index) * p.hidden * 4;
}
/// Address of a lane's part of an edge with `words` words a lane and layer.
DEV u64 edgeWords(Arguments &p, u64 edge, u32 layer, u32 lane, u32 words) {
    return edge + (static_cast<u64>(layer) * p.lanes + lane) * words * 8;
}

DEV u32 chunkWords(Arguments &p) { return chunkWords(p.headDim); }
DEV u32 attentionWords(Arguments &p) { return p.laneHeads * p.chunks * chunkWords(p); }

DEV u64 activationWords(Arguments &p, u32 layer, u32 lane) {
    return p.activation + (static_cast<u64>(layer) * p.lanes + lane) * packedBytes(p.laneFfn);
}

/// Where a lane of this device has its contribution to the head's input: mailboxes.
DEV u64 headWords(Arguments &p, u32 lane) { return p.headLanes + static_cast<u64>(p.firstLane + lane) * p.hidden * 8; }

DEV u32 matrixOf(u32 phase) {
    switch (phase) {
    case phaseQkv:
    case phaseNormAttention:
        return matrixQkv;
    case phaseMerge:
    case phaseOutput:
        return matrixOutput;
    case phaseNormFfn:
    case phaseGateUp:
        return matrixGateUp;
    case phaseDown:
        return matrixDown;
    default:
        return matrixHead;
    }
}

/// The same of the prefill step's mailboxes, in [layers, modules, allLanes, tokens].
DEV u64 prefillPartialWords(Arguments &p, u32 layer, u32 module, u32 lane, u32 token) {
    const u64 at = (static_cast<u64>(2 * layer + module) * p.allLanes + lane) * maxPrefillTokens + token;
    return p.prefillPartial + at * packedBytes(p.hidden);
}

/// Address of a token's part of an edge with `words` words a token, in [layers, lanes, tokens].
DEV u64 prefillWords(Arguments &p, u64 edge, u32 layer, u32 lane, u32 token, u32 words) {
    return edge + ((static_cast<u64>(layer) * p.lanes + lane) * maxPrefillTokens + token) * words * 8;
}
/// Address of a token's vector of `elements` as the input of a prefill step's product.
DEV u64 inputVector(Arguments &p, u64 vectors, u32 layer, u32 lane, u32 token, u32 elements) {
    return vectors + ((static_cast<u64>(layer) * p.lanes + lane) * maxPrefillTokens + token) * inputBytes(elements);
}
/// What says that a wave's part of the tokens' vectors is there: a word a token.
DEV u64 readyWords(Arguments &p, u64 edge, u32 layer, u32 lane, u32 wave) {
    return edge + ((static_cast<u64>(layer) * p.lanes + lane) * workgroupWaves + wave) * maxPrefillTokens * 8;
}
/// The same as prefillWords in [layers, modules, lanes, tokens].
DEV u64 prefillModuleWords(Arguments &p, u64 edge, u32 layer, u32 module, u32 lane, u32 token, u32 words) {
    return prefillWords(p, edge, 2 * layer + module, lane, token, words);
}

} // namespace monokernel::kernel
