#pragma once

#include "worker.h"

// A matrix phase's input, staged in shared memory by the wave that will read it: wave w stages the chunks of 8 elements
// that its slices of the rows cover. Two planes hold the halves of the chunks, so that neighbouring lanes read
// neighbouring 16-byte words.

namespace monokernel::kernel {

constexpr u32 batchPairs = 6;  ///< pairs of elements a lane waits for at once
constexpr u32 batchChunks = 8; ///< chunks of the KV cache it merges at once

/// Where element `index` of a wave's slice lies (in floats).
DEV u32 stageOffset(Arguments &p, MatrixArguments &m, u32 wave, u32 index) {
    const u32 chunks = m.steps << m.rowLanesLog2;
    const u32 half = (index >> 2) & 1;
    return half * p.stageFloats + (wave * chunks + (index >> 3)) * 4 + (index & 3);
}

/// Calls body(first pair, elements) for the batches of a wave's slice: lane l's pair i of a batch starts at element
/// first + 2 (l + i * waveLanes) of the slice.
struct Slice {
    u32 begin;  ///< first element of the slice in the vector
    u32 count;  ///< elements with data
    u32 padded; ///< elements staged, zeros after count
};

DEV Slice sliceOf(MatrixArguments &m, u32 wave) {
    const u32 begin = minimum(wave * m.waveChunks * 8, m.depth), end = minimum(begin + m.waveChunks * 8, m.depth);
    return {begin, end - begin, (m.steps << m.rowLanesLog2) * 8};
}

DEV void stagePair(Arguments &p, MatrixArguments &m, u32 wave, u32 index, float a, float b) {
    SHARED float *at = shared(stageOffset(p, m, wave, index));
    at[0] = a;
    at[1] = b;
}

DEV void stageZeros(Arguments &p, MatrixArguments &m, const Worker &w, const Slice &slice) {
    for (u32 index = slice.count + 2 * w.lane; index < slice.padded; index += 2 * waveLanes) {
        stagePair(p, m, w.wave, index, 0.0f, 0.0f);
    }
}

/// The wave's part of the sum of squares, for the workgroup to add up after the next barrier.
DEV void storeNormSum(Arguments &p, const Worker &w, float squares) {
    squares = waveSum(squares);
    if (w.lane == 0) {
        *shared(p.sumsOffset + (w.phase & 1) * workgroupWaves + w.wave) = squares;
    }
}

/// 1 / rms of the staged vector; after the barrier.
DEV float normScale(Arguments &p, u32 phase) {
    float sum = 0.0f;
    for (u32 i = 0; i < workgroupWaves; i++) {
        sum += *shared(p.sumsOffset + (phase & 1) * workgroupWaves + i);
    }
    return inverseSquareRoot(sum / static_cast<float>(p.hidden) + p.normEpsilon);
}

/// What is added to a lane's residual stream before it is read: a tagged vector, or at the first layer of a step, where
/// the stream begins, the token's embedding.
struct ResidualUpdate {
    u64 embeddingRow; ///< bf16, or 0
    u32 edge, layer;
    u64 words; ///< tagged [hidden]
};

/// Brings the lane's residual stream up to date and stages it times `gamma` (f32 [hidden], or 0 for none). Each element
/// belongs to one thread of the workgroup, which alone reads and writes it.
DEV void stageResidual(Arguments &p, Worker &w, MatrixArguments &m, u64 residual, const ResidualUpdate &u, u64 gamma) {
    const Slice slice = sliceOf(m, w.wave);
    float squares = 0.0f;
    for (u32 base = 0; base < slice.count; base += 2 * waveLanes * batchPairs) {
        u32 index[batchPairs];
        float a[batchPairs], b[batchPairs], g[batchPairs], h[batchPairs], x[batchPairs], y[batchPairs];
#pragma unroll
        for (u32 i = 0; i < batchPairs; i++) { // everything that need not be waited for, first
            index[i] = slice.begin + minimum(base + 2 * (w.lane + i * waveLanes), slice.count - 2);
            a[i] = global<const float>(residual)[index[i]];
            b[i] = global<const float>(residual)[index[i] + 1];
            g[i] = gamma != 0 ? global<const float>(gamma)[index[i]] : 1.0f;
            h[i] = gamma != 0 ? global<const float>(gamma)[index[i] + 1] : 1.0f;
        }
        if (u.embeddingRow != 0) {
#pragma unroll
            for (u32 i = 0; i < batchPairs; i++) {
                const u32 pair = global<const u32>(u.embeddingRow)[index[i] >> 1];
                a[i] = bf16Low(pair);
                b[i] = bf16High(pair);
            }
        } else {
            collect(p, w, u.edge, u.layer, x, y, [&](u32 i) { return global<const u64>(u.words) + index[i]; });
#pragma unroll
            for (u32 i = 0; i < batchPairs; i++) {
                a[i] += x[i];
                b[i] += y[i];
            }
        }
#pragma unroll
        for (u32 i = 0; i < batchPairs; i++) {
            const u32 local = base + 2 * (w.lane + i * waveLanes);
            if (local < slice.count) {
                global<float>(residual)[index[i]] = a[i];
                global<float>(residual)[index[i] + 1] = b[i];
                squares += a[i] * a[i] + b[i] * b[i];
                stagePair(p, m, w.wave, local, a[i] * g[i], b[i] * h[i]);
            }
        }
    }
    stageZeros(p, m, w, slice);
    storeNormSum(p, w, squares);
    waveSync();
}

/// Stages a tagged vector as it is, or times `gamma` with its sum of squares.
DEV void stageVector(Arguments &p, Worker &w, MatrixArguments &m, u32 edge, u32 layer, u64 words, u64 gamma) {
    const Slice slice = sliceOf(m, w.wave);
    float squares = 0.0f;
    for (u32 base = 0; base < slice.count; base += 2 * waveLanes * batchPairs) {
        u32 index[batchPairs];
        float a[batchPairs], b[batchPairs];
#pragma unroll
        for (u32 i = 0; i < batchPairs; i++) {
            index[i] = slice.begin + minimum(base + 2 * (w.lane + i * waveLanes), slice.count - 2);
        }
        collect(p, w, edge, layer, a, b, [&](u32 i) { return global<const u64>(words) + index[i]; });
#pragma unroll
        for (u32 i = 0; i < batchPairs; i++) {
            const u32 local = base + 2 * (w.lane + i * waveLanes);
            if (local < slice.count) {
                squares += a[i] * a[i] + b[i] * b[i];
                const float g = gamma != 0 ? global<const float>(gamma)[index[i]] : 1.0f;
                const float h = gamma != 0 ? global<const float>(gamma)[index[i] + 1] : 1.0f;
                stagePair(p, m, w.wave, local, a[i] * g, b[i] * h);
            }
        }
    }
    stageZeros(p, m, w, slice);
    storeNormSum(p, w, squares);
    waveSync();
}

/// Stages the heads' outputs, merging the chunks of the KV cache that different workgroups attended to: each chunk
/// gives its maximum score, its sum of weights and its weighted sum of values.
DEV void stageAttention(Arguments &p, Worker &w, MatrixArguments &m, u32 layer, u64 words) {
    const Slice slice = sliceOf(m, w.wave);
    const u32 chunkWords = p.headDim + 2;
    for (u32 base = 0; base < slice.count; base += 2 * waveLanes) {
        const u32 local = base + 2 * w.lane;
        const u32 index = slice.begin + minimum(local, slice.count - 2);
        const u32 head = index / p.headDim, element = index % p.headDim;
        GLOBAL const u64 *chunks = global<const u64>(words) + head * p.chunks * chunkWords;
        float top = -1e30f, total = 0.0f, a = 0.0f, b = 0.0f;
        for (u32 c = 0; c < p.chunks; c += batchChunks) {
            float x[2 * batchChunks], y[2 * batchChunks];
            collect(p, w, waitAttention, layer, x, y, [&](u32 i) {
                return chunks + minimum(c + (i >> 1), p.chunks - 1) * chunkWords + ((i & 1) != 0 ? 2 + element : 0);
            });
#pragma unroll
            for (u32 i = 0; i < batchChunks; i++) {
                const float score = c + i < p.chunks ? x[2 * i] : -1e30f;
                const float peak = larger(top, score);
                const float keep = exponential2(top - peak);
                const float add = c + i < p.chunks ? exponential2(score - peak) : 0.0f;
                total = total * keep + y[2 * i] * add;
                a = a * keep + x[2 * i + 1] * add;
                b = b * keep + y[2 * i + 1] * add;
                top = peak;
            }
        }
        if (local < slice.count) {
            stagePair(p, m, w.wave, local, a / total, b / total);
        }
    }
    stageZeros(p, m, w, slice);
    waveSync();
}

} // namespace monokernel::kernel
