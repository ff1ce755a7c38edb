#pragma once

#include "phases.h"

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

/// Adds up the waves' softmaxes of a pass with `count` queries and publishes the chunk's in `out` (chunkWords() of
/// [heads, chunks]), the first query's as head `head`. A thread has two neighbouring values, or maximum and sum.
DEV void publishChunk(Arguments &all, const Worker &w, u32 kept, u64 out, u32 head, u32 count, u32 chunk) {
    Arguments &p = *refresh(&all);
    const u32 width = p.headDim + 2;
    constexpr u32 pairThreads = workgroupThreads / maxQueries; // that share a query's pairs
    for (u32 q = threadIndex() / pairThreads; q < count; q += maxQueries) {
        for (u32 pair = threadIndex() % pairThreads; 2 * pair < width; pair += pairThreads) {
            f32x2 parts[workgroupWaves];
            float tops[workgroupWaves], top = -1e30f, first = 0.0f, second = 0.0f;
#pragma unroll
            for (u32 v = 0; v < workgroupWaves; v++) { // all loads at once
                SHARED const float *at = shared(kept + (v * maxQueries + q) * width);
                tops[v] = *at;
                parts[v] = *(SHARED const f32x2 *)(at + 2 * pair);
            }
#pragma unroll
            for (u32 v = 0; v < workgroupWaves; v++) {
                top = larger(top, tops[v]);
            }
#pragma unroll
            for (u32 v = 0; v < workgroupWaves; v++) {
                const float keep = exponential2(tops[v] - top);
                first += keep * parts[v][0];
                second += keep * parts[v][1];
            }
            const u64 words = out + static_cast<u64>((head + q) * p.chunks + chunk) * chunkWords(p) * 8;
            if (pair == 0) {
                publish(words, 0, top, w.tag);
                publish(words, 1, second, w.tag);
            } else {
                publishWord(global<u64>(words) + 1 + pair, packedWord(first, second, w.tag));
            }
        }
    }
    rejoin();
}

} // namespace monokernel::kernel
