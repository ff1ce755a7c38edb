// The attention phase of a step: which worker attends what.

#include "exec/cpu/step_runner.h"

#include <algorithm>
#include <limits>

namespace monokernel::cpu {

/// One token and key heads that do not divide among the group's workers: the work is cut into (head, chunk) pairs, and
/// whoever needs the result merges the chunks. The sums are the same as without a cut.
bool StepRunner::splitsKeys() const {
    const uint32_t kvHeads = group_.lanes.size() * spec_.kvHeadsPerLane();
    return tokens_ == 1 && kvHeads % group_.workers.size() != 0;
}

bool StepRunner::attention(uint32_t layer) {
    if (!mayGoOn() || !waitForGroup(phaseOf(layer, PhaseKind::qkv))) {
        return false;
    }
    const uint32_t members = group_.workers.size(), member = worker_ - group_.workers.begin;
    const uint32_t firstHead = group_.lanes.begin * spec_.kvHeadsPerLane();
    const uint32_t kvHeads = group_.lanes.size() * spec_.kvHeadsPerLane();
    if (splitsKeys()) {
        attendSplit(layer);
    } else if (sharesRows()) {
        attendShared(layer);
    } else {
        const Range heads = evenShare(kvHeads, member, members);
        attendWhole(layer, {firstHead + heads.begin, firstHead + heads.end}, {0, tokens_});
    }
    publish(phaseOf(layer, PhaseKind::attention));
    return true;
}

/// Many tokens: key heads with some tokens each, taken by whoever is free.
void StepRunner::attendShared(uint32_t layer) {
    constexpr uint32_t tokensPerItem = 24; // whole tiles of the kernels
    const uint32_t runs = (tokens_ + tokensPerItem - 1) / tokensPerItem;
    const uint32_t perLane = spec_.kvHeadsPerLane();
    const Range items{group_.lanes.begin * perLane * runs, group_.lanes.end * perLane * runs};
    UnitWalk walked = sharedUnits(phaseOf(layer, PhaseKind::attention), items);
    while (const std::optional<uint32_t> item = walked.next()) {
        const uint32_t kvHead = *item / runs, first = *item % runs * tokensPerItem;
        attendWhole(layer, {kvHead, kvHead + 1}, {first, std::min(first + tokensPerItem, tokens_)});
    }
}

/// The chunks that any of the step's tokens [tokens.begin, tokens.end) sees.
Range StepRunner::chunksSeen(uint32_t layer, Range tokens) const {
    const uint32_t window = spec_.window(layer);
    const uint32_t first = step_.first + tokens.begin, last = step_.first + tokens.end - 1;
    const uint32_t oldest = window == 0 || first + 1 < window ? 0 : first + 1 - window;
    return {oldest / chunkPositions, last / chunkPositions + 1};
}

AttentionChunk StepRunner::chunkOf(uint32_t layer, uint32_t kvHead, uint32_t chunk, Range tokens) const {
    return {.keys = r_.cache.keys(step_.slot, layer, kvHead, chunk),
            .values = r_.cache.values(step_.slot, layer, kvHead, chunk),
            .keyScales = r_.cache.keyScales(step_.slot, layer, kvHead, chunk),
            .valueScales = r_.cache.valueScales(step_.slot, layer, kvHead, chunk),
            .headDim = spec_.headDim,
            .valueWidth = headWidth_,
            .rows = tokens.size() * queriesPerKey_,
            .rowsPerToken = queriesPerKey_,
            .chunkStart = chunk * chunkPositions,
            .firstToken = step_.first + tokens.begin,
            .window = spec_.window(layer),
            .queries = r_.activations.queries(kvHead) + size_t{tokens.begin} * queriesPerKey_ * headWidth_,
            .queryStride = headWidth_,
            .state = nullptr,
            .following = nullptr,
            .followingBytes = 0};
}

/// Says which chunk is attended after `part`.
void StepRunner::follow(AttentionChunk &part, uint32_t layer, uint32_t kvHead, uint32_t chunk) const {
    const std::span<const std::byte> following = r_.cache.chunk(step_.slot, layer, kvHead, chunk);
    part.following = following.data();
    part.followingBytes = following.size();
}

void StepRunner::initializeState(float *state, uint32_t rows) const {
    const uint32_t width = attentionStateWidth(headWidth_);
    std::fill_n(state, size_t{rows} * width, 0.0f);
    for (uint32_t row = 0; row < rows; row++) {
        state[size_t{row} * width + headWidth_] = -std::numeric_limits<float>::infinity();
    }
}

/// Chunk by chunk over all the heads, as they lie in memory, so that one token's pass reads the cache as one stream.
void StepRunner::attendWhole(uint32_t layer, Range kvHeads, Range tokens) {
    const size_t headState = size_t{tokens.size()} * queriesPerKey_ * attentionStateWidth(headWidth_);
    initializeState(state_.floats(), kvHeads.size() * tokens.size() * queriesPerKey_);
    const Range chunks = chunksSeen(layer, tokens);
    for (uint32_t chunk = chunks.begin; chunk < chunks.end; chunk++) {
        for (uint32_t kvHead = kvHeads.begin; kvHead < kvHeads.end; kvHead++) {
            AttentionChunk part = chunkOf(layer, kvHead, chunk, tokens);
            part.state = state_.floats() + (kvHead - kvHeads.begin) * headState;
            if (kvHead + 1 < kvHeads.end) {
                follow(part, layer, kvHead + 1, chunk);
            } else if (chunk + 1 < chunks.end) {
                follow(part, layer, kvHeads.begin, chunk + 1);
            }
            r_.kernels.attendChunk(part);
        }
    }
    for (uint32_t kvHead = kvHeads.begin; kvHead < kvHeads.end; kvHead++) {
        finishRows(state_.floats() + (kvHead - kvHeads.begin) * headState, kvHead, tokens,
                   r_.activations.attention(kvHead / spec_.kvHeadsPerLane()));
    }
}

/// From the states of a key head's rows to the heads' places in the lane's attention rows.
void StepRunner::finishRows(const float *states, uint32_t kvHead, Range tokens, float *laneAttention) {
    const uint32_t firstHead = kvHead % spec_.kvHeadsPerLane() * queriesPerKey_;
    for (uint32_t t = tokens.begin; t < tokens.end; t++) {
        for (uint32_t q = 0; q < queriesPerKey_; q++) {
            float *out = laneAttention + size_t{t} * r_.activations.attentionWidth() + (firstHead + q) * spec_.headDim;
            r_.kernels.finishState(states, headWidth_, spec_.headDim, out);
            states += attentionStateWidth(headWidth_);
        }
    }
}

void StepRunner::attendSplit(uint32_t layer) {
    const Range chunks = chunksSeen(layer, {0, 1});
    const uint32_t kvHeads = group_.lanes.size() * spec_.kvHeadsPerLane();
    const uint32_t firstHead = group_.lanes.begin * spec_.kvHeadsPerLane();
    const Range mine = evenShare(kvHeads * chunks.size(), worker_ - group_.workers.begin, group_.workers.size());
    for (uint32_t item = mine.begin; item < mine.end; item++) {
        const uint32_t kvHead = firstHead + item / chunks.size(), chunk = chunks.begin + item % chunks.size();
        AttentionChunk part = chunkOf(layer, kvHead, chunk, {0, 1});
        part.state = r_.activations.chunkState(kvHead, chunk);
        if (item + 1 < mine.end) {
            follow(part, layer, firstHead + (item + 1) / chunks.size(), chunks.begin + (item + 1) % chunks.size());
        }
        initializeState(part.state, queriesPerKey_);
        r_.kernels.attendChunk(part);
    }
}

/// Every worker of the group merges all its lanes' heads for itself.
void StepRunner::mergeSplit(uint32_t layer) {
    const Range chunks = chunksSeen(layer, {0, 1});
    const uint32_t perLane = spec_.kvHeadsPerLane();
    for (uint32_t kvHead = group_.lanes.begin * perLane; kvHead < group_.lanes.end * perLane; kvHead++) {
        initializeState(state_.floats(), queriesPerKey_);
        for (uint32_t chunk = chunks.begin; chunk < chunks.end; chunk++) {
            for (uint32_t q = 0; q < queriesPerKey_; q++) {
                const size_t row = size_t{q} * attentionStateWidth(headWidth_);
                r_.kernels.mergeState(state_.floats() + row, r_.activations.chunkState(kvHead, chunk) + row,
                                      headWidth_);
            }
        }
        float *out = merged_.floats() + size_t{kvHead / perLane} * r_.activations.attentionWidth();
        finishRows(state_.floats(), kvHead, {0, 1}, out);
    }
}

} // namespace monokernel::cpu
