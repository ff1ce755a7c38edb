#pragma once

#include "worker.h"

// The running softmax of a wave that attends to a part of the cache, and what its workgroup's waves hand over together.

namespace monokernel::kernel {

constexpr u32 maxQueries = 2; ///< query heads that share a pass over the cache: more do not fit into the registers

/// A wave's running softmax over the positions it has seen, for up to `queries` heads: per lane a share of the sum of
/// weights, and the weighted values' elements lane, lane + waveLanes, ...
template <u32 queries, u32 elements> struct Softmax {
    float top[queries];
    float sum[queries];
    float values[elements][queries];
};

/// New maximum for a block of scores (one a lane); returns this lane's weight and rescales what was summed.
template <u32 queries, u32 elements> DEV float admit(Softmax<queries, elements> &state, u32 query, float score) {
    const float peak = larger(state.top[query], waveMax(score));
    const float keep = exponential2(state.top[query] - peak);
    const float weight = score > -1e29f ? exponential2(score - peak) : 0.0f;
    state.top[query] = peak;
    state.sum[query] = state.sum[query] * keep + weight;
#pragma unroll
    for (u32 j = 0; j < elements; j++) {
        state.values[j][query] *= keep;
    }
    return weight;
}

/// Floats of shared memory in which the waves leave their softmaxes of a pass: [wave][query][headDim + 2].
DEV u32 keptFloats(Arguments &p) { return workgroupWaves * maxQueries * (p.headDim + 2); }

/// Leaves a wave's softmaxes of a pass at `kept`, for the workgroup to add up: maximum, sum of weights, weighted
/// values.
template <u32 queries, u32 elements>
DEV void keepSoftmax(Arguments &p, const Worker &w, u32 kept, const Softmax<queries, elements> &state) {
#pragma unroll
    for (u32 q = 0; q < queries; q++) {
        const u32 at = kept + (w.wave * maxQueries + q) * (p.headDim + 2);
        const float sum = waveSum(state.sum[q]);
        if (w.lane == 0) {
            *shared(at) = state.top[q];
            *shared(at + 1) = sum;
        }
#pragma unroll
        for (u32 j = 0; j < elements; j++) {
            const u32 element = w.lane + j * waveLanes;
            if (element < p.headDim) {
                *shared(at + 2 + element) = state.values[j][q];
            }
        }
    }
    rejoin();
}

/// Adds up the waves' softmaxes of a pass with `count` queries and publishes the chunk's in `out` (tagged words of
/// [heads, chunks, headDim + 2]), the first query's as head `head`.
DEV void publishChunk(Arguments &all, const Worker &w, u32 kept, u64 out, u32 head, u32 count, u32 chunk) {
    Arguments &p = *refresh(&all);
    const u32 width = p.headDim + 2;
    constexpr u32 wordThreads = workgroupThreads / maxQueries; // that share a query's words
    for (u32 q = threadIndex() / wordThreads; q < count; q += maxQueries) {
        for (u32 word = threadIndex() % wordThreads; word <= p.headDim; word += wordThreads) {
            float tops[workgroupWaves], parts[workgroupWaves], top = -1e30f, sum = 0.0f;
#pragma unroll
            for (u32 v = 0; v < workgroupWaves; v++) { // all loads at once
                const u32 at = kept + (v * maxQueries + q) * width;
                tops[v] = *shared(at);
                parts[v] = *shared(at + 1 + word);
            }
#pragma unroll
            for (u32 v = 0; v < workgroupWaves; v++) {
                top = larger(top, tops[v]);
            }
#pragma unroll
            for (u32 v = 0; v < workgroupWaves; v++) {
                sum += exponential2(tops[v] - top) * parts[v];
            }
            const u32 base = ((head + q) * p.chunks + chunk) * width;
            publish(out, base + 1 + word, sum, w.tag);
            if (word == 0) {
                publish(out, base, top, w.tag);
            }
        }
    }
    rejoin();
}

} // namespace monokernel::kernel
