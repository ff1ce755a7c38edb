#pragma once

#include "kv_cache.h"

// A head's query, key or value of a new position: biased, normed and turned, in shared memory.

namespace monokernel::kernel {

/// Vectors of headDim floats in the scratch area of shared memory: queries, then the new key and value.
DEV u32 scratchVector(Arguments &p, u32 index) { return p.scratchOffset + index * p.headDim; }

/// What becomes of a vector of a head: queries and keys are normed and turned, keys and values are rounded to what the
/// cache keeps, so that a token attends to itself as later ones do to it.
enum HeadVector : u32 { vectorQuery, vectorKey, vectorValue };

/// Waits for one head's raw q, k or v among `heads` (tagged words of [rows of q, k and v]), adds bias, applies q/k norm
/// and RoPE, and leaves it in shared memory. Whole-wave.
DEV void stageHead(Arguments &all, Worker &w, u32 layer, u32 lane, u64 heads, u32 row, u32 position, u32 vector,
                   HeadVector kind) {
    Arguments &p = *refresh(&all);
    const u32 rowsOfLane = p.laneHeads + 2 * p.laneKvHeads, half = p.headDim >> 1;
    GLOBAL const u64 *words = global<const u64>(heads) + row * p.headDim;
    GLOBAL const float *angles = global<const float>(p.rope) + position * p.headDim;
    const u32 pair = minimum(w.lane, half - 1);
    float cosine = angles[2 * pair], sine = angles[2 * pair + 1]; // before the wait
    SHARED float *out = shared(vector);
    float squares = 0.0f;
    for (u32 base = 0; base < p.headDim; base += 2 * waveLanes) {
        const u32 index = base + 2 * w.lane, element = minimum(index, p.headDim - 2);
        float a[1], b[1];
        collect(p, w, waitQueryKeyValue, layer, a, b, [&](u32) INLINED { return words + element; });
        if (p.hasBias != 0) {
            GLOBAL const float *bias =
                global<const float>(p.qkvBias) + ((layer * p.lanes + lane) * rowsOfLane + row) * p.headDim;
            a[0] += bias[element];
            b[0] += bias[element + 1];
        }
        if (index < p.headDim) {
            squares += a[0] * a[0] + b[0] * b[0];
            out[index] = kind == vectorValue ? cached(a[0]) : a[0];
            out[index + 1] = kind == vectorValue ? cached(b[0]) : b[0];
        }
    }
    waveSync();
    if (kind == vectorValue) {
        return;
    }
    const bool norm = p.hasQkNorm != 0;
    const float inverse = norm ? inverseSquareRoot(waveSum(squares) * p.perHeadDim + p.normEpsilon) : 1.0f;
    GLOBAL const float *gamma = global<const float>(p.qkNorm) + (layer * 2 + (kind == vectorKey ? 1 : 0)) * p.headDim;
    for (u32 i = w.lane; i < half; i += waveLanes) { // each rotation pair is one lane's alone
        if (i >= waveLanes) {
            cosine = angles[2 * i];
            sine = angles[2 * i + 1];
        }
        const u32 first = p.ropeHalves != 0 ? i : 2 * i, second = p.ropeHalves != 0 ? i + half : 2 * i + 1;
        const float a = out[first] * inverse * (norm ? gamma[first] : 1.0f);
        const float b = out[second] * inverse * (norm ? gamma[second] : 1.0f);
        const float x = a * cosine - b * sine, y = b * cosine + a * sine;
        out[first] = kind == vectorKey ? cached(x) : x * p.queryScale;
        out[second] = kind == vectorKey ? cached(y) : y * p.queryScale;
    }
    waveSync();
}

} // namespace monokernel::kernel
