#pragma once

#include "kv_cache.h"

// A head's query, key or value of a new position: biased, normed and turned, in shared memory.

namespace monokernel::kernel {

/// Vectors of headDim floats in the scratch area of shared memory: queries, then the new key and value.
DEV u32 scratchVector(Arguments &p, u32 index) { return p.scratchOffset + index * p.headDim; }

/// What becomes of a vector of a head: queries and keys are normed and turned, keys and values are rounded to what the
/// cache keeps, so that a token attends to itself as later ones do to it.
enum HeadVector : u32 { vectorQuery, vectorKey, vectorValue };

constexpr u32 usualHead = 128; ///< elements of heads that shall take no more trips to memory than shorter ones

/// A rotation pair's cosine and sine.
DEV f32x2 rotation(Arguments &p, u32 position, u32 pair) {
    return *(global<const f32x2>(p.rope) + static_cast<u64>(position) * (p.headDim >> 1) + pair);
}

/// Waits for one head's raw q, k or v, adds its bias and leaves it in shared memory; returns this lane's part of its
/// sum of squares. `pairs` neighbouring elements of a lane at once: what follows one wait would follow in another trip.
template <u32 pairs>
DEV float bringHead(Arguments &p, Worker &w, u32 layer, u64 words, u64 biases, u32 vector, HeadVector kind) {
    SHARED float *out = shared(vector);
    float squares = 0.0f;
    for (u32 base = 0; base < p.headDim; base += 2 * waveLanes * pairs) {
        u32 index[pairs], element[pairs];
        f32x2 bias[pairs];
#pragma unroll
        for (u32 i = 0; i < pairs; i++) {
            index[i] = base + 2 * (w.lane + i * waveLanes);
            element[i] = minimum(index[i], p.headDim - 2);
            bias[i] = p.hasBias != 0 ? *(global<const f32x2>(biases) + (element[i] >> 1)) : f32x2{};
        }
        float a[pairs], b[pairs];
        collect(p, w, waitQueryKeyValue, layer, a, b,
                [&](u32 i) INLINED { return global<const u64>(words) + element[i]; });
#pragma unroll
        for (u32 i = 0; i < pairs; i++) {
            if (index[i] < p.headDim) {
                const float first = p.hasBias != 0 ? a[i] + bias[i][0] : a[i];
                const float second = p.hasBias != 0 ? b[i] + bias[i][1] : b[i];
                squares += first * first + second * second;
                out[index[i]] = kind == vectorValue ? cached(first) : first;
                out[index[i] + 1] = kind == vectorValue ? cached(second) : second;
            }
        }
    }
    waveSync();
    return squares;
}

/// Waits for one head's raw q, k or v among `heads` (tagged words of [rows of q, k and v]), adds bias, applies q/k norm
/// and RoPE, and leaves it in shared memory. Whole-wave.
DEV void stageHead(Arguments &all, Worker &w, u32 layer, u32 lane, u64 heads, u32 row, u32 position, u32 vector,
                   HeadVector kind) {
    Arguments &p = *refresh(&all);
    const u32 rowsOfLane = p.laneHeads + 2 * p.laneKvHeads, half = p.headDim >> 1;
    const u64 words = heads + static_cast<u64>(row) * p.headDim * 8;
    const u64 biases = p.qkvBias + static_cast<u64>((layer * p.lanes + lane) * rowsOfLane + row) * p.headDim * 4;
    constexpr u32 early = (usualHead / 2 + waveLanes - 1) / waveLanes; // rotations that are asked for before the wait
    f32x2 turn[early];
#pragma unroll
    for (u32 i = 0; i < early; i++) {
        turn[i] = rotation(p, position, minimum(w.lane + i * waveLanes, half - 1));
    }
    float squares;
    if (usualHead > 2 * waveLanes && p.headDim > 2 * waveLanes) {
        squares = bringHead<2>(p, w, layer, words, biases, vector, kind);
    } else {
        squares = bringHead<1>(p, w, layer, words, biases, vector, kind);
    }
    if (kind == vectorValue) {
        return;
    }
    SHARED float *out = shared(vector);
    const bool norm = p.hasQkNorm != 0;
    const float inverse = norm ? inverseSquareRoot(waveSum(squares) * p.perHeadDim + p.normEpsilon) : 1.0f;
    GLOBAL const float *gamma = global<const float>(p.qkNorm) + (layer * 2 + (kind == vectorKey ? 1 : 0)) * p.headDim;
    for (u32 i = w.lane; i < half; i += waveLanes) { // each rotation pair is one lane's alone
        const f32x2 by = i < waveLanes ? turn[0] : i < early * waveLanes ? turn[early - 1] : rotation(p, position, i);
        const u32 first = p.ropeHalves != 0 ? i : 2 * i, second = p.ropeHalves != 0 ? i + half : 2 * i + 1;
        const float a = out[first] * inverse * (norm ? gamma[first] : 1.0f);
        const float b = out[second] * inverse * (norm ? gamma[second] : 1.0f);
        const float x = a * by[0] - b * by[1], y = b * by[0] + a * by[1];
        out[first] = kind == vectorKey ? cached(x) : x * p.queryScale;
        out[second] = kind == vectorKey ? cached(y) : y * p.queryScale;
    }
    waveSync();
}

} // namespace monokernel::kernel
