#pragma once

#include "phases.h"

// The input of a matrix product: each wave brings the part of a vector that its rows of weights need. A decode step
// stages it in shared memory, where the same wave reads it; a prefill step publishes it for all. Either way an element
// is two bf16 parts, and is made by the same operations in the same order: a token's numbers do not depend on how many
// tokens were run with it.

namespace monokernel::kernel {

constexpr u32 batchQuads = 4; ///< times four elements that a lane waits for at once, at most

/// The part of a vector that a wave brings, four elements a lane at a time.
struct Slice {
    u32 begin;  ///< first element of the slice in the vector
    u32 count;  ///< elements with data
    u32 padded; ///< elements read by the product, zeros after count
};

/// Waves that share the inner dimension, that share the rows, and a wave's place in each.
DEV u32 depthWaves(MatrixArguments &m) { return 1u << m.depthWavesLog2; }
DEV u32 rowWaves(MatrixArguments &m) { return workgroupWaves >> m.depthWavesLog2; }
DEV u32 depthPart(MatrixArguments &m, u32 wave) { return wave & (depthWaves(m) - 1); }
DEV u32 rowPart(MatrixArguments &m, u32 wave) { return wave >> m.depthWavesLog2; }

DEV Slice sliceOf(MatrixArguments &m, u32 wave) {
    const u32 part = depthPart(m, wave);
    const u32 begin = minimum(part * m.waveChunks * 8, m.depth), end = minimum(begin + m.waveChunks * 8, m.depth);
    return {begin, end - begin, m.steps * 32};
}

/// Where a wave's staged elements index and index + 1 lie (in 4-byte words): the leading parts; the others 4 words on.
DEV u32 stageOffset(MatrixArguments &m, u32 wave, u32 index) {
    return (wave * m.steps * 4 + (index >> 3)) * 8 + ((index & 7) >> 1);
}

DEV void stageQuad(MatrixArguments &m, u32 wave, u32 index, f32x4 values) {
    SHARED u32x2 *at = (SHARED u32x2 *)shared(stageOffset(m, wave, index));
    const SplitPair low = splitPair(values[0], values[1]), high = splitPair(values[2], values[3]);
    at[0] = u32x2{low.leading, high.leading};
    at[2] = u32x2{low.remainder, high.remainder};
}

/// Element `index` of a wave's staged slice.
DEV float stagedValue(MatrixArguments &m, u32 wave, u32 index) {
    SHARED const u32 *at = (SHARED const u32 *)shared(stageOffset(m, wave, index));
    const u32 shift = (index & 1) * 16;
    return asFloat(at[0] >> shift << 16) + asFloat(at[4] >> shift << 16);
}

DEV void stageZeros(MatrixArguments &m, const Worker &w) {
    const Slice slice = sliceOf(m, w.wave);
    for (u32 index = slice.count + 4 * w.lane; index < slice.padded; index += 4 * waveLanes) {
        stageQuad(m, w.wave, index, f32x4{});
    }
    rejoin();
}

/// The wave's part of the sum of squares, for the workgroup to add up after the next barrier.
DEV void storeNormSum(Arguments &p, const Worker &w, float squares) {
    squares = waveSum(squares);
    if (w.lane == 0) {
        *shared(p.sumsOffset + (w.phase & 1) * workgroupWaves + w.wave) = squares;
    }
    rejoin();
}

/// 1 / rms of the vector that the waves brought; after the barrier. All waves have a part of their own of a vector that
/// is normed.
DEV float normScale(Arguments &p, u32 phase) {
    float sum = 0.0f;
#pragma unroll
    for (u32 i = 0; i < workgroupWaves; i++) {
        sum += *shared(p.sumsOffset + (phase & 1) * workgroupWaves + i);
    }
    return inverseSquareRoot(sum * p.perHidden + p.normEpsilon);
}

/// Calls body(constant of type Quads<n>) with how often four elements a lane should wait for at once, at most `most`
/// times: each wait more is a trip to memory more, and what is asked for in vain takes time too. `quadGrowth` says how
/// many such constants there are.
template <u32 value> struct Quads {
    static constexpr u32 count = value;
};
template <u32 most, u32 quads = 1, class Body> DEV void withQuads(const Slice &slice, Body body) {
    if constexpr (quads >= most) {
        body(Quads<most>{});
    } else {
        if (slice.count <= 4 * waveLanes * quads) {
            body(Quads<quads>{});
        } else {
            withQuads<most, quadGrowth * quads>(slice, body);
        }
    }
}

/// Four of a norm's weights (f32), or ones where there are none.
DEV f32x4 normFactors(u64 gamma, u32 index) {
    return gamma != 0 ? *global<const f32x4>(gamma + static_cast<u64>(index) * 4) : f32x4{1.0f, 1.0f, 1.0f, 1.0f};
}
DEV float sumOfSquares(f32x4 a) { return a[0] * a[0] + a[1] * a[1] + (a[2] * a[2] + a[3] * a[3]); }

/// Where a lane's four elements `i` of those from `base` on of a slice lie in it, if below its count.
DEV u32 quadPlace(const Worker &w, u32 base, u32 i) { return base + 4 * (w.lane + i * waveLanes); }

/// Brings a residual stream up to date and gives put(index in the slice, index, values) its elements times `gamma` (f32
/// [hidden], or 0 for none), four by four. The stream begins at a token's embedding (bf16, where `embeddingRow` is not
/// 0); later update(index, x) gives what is added. Each element belongs to one thread of the workgroup, which alone
/// reads and writes it.
template <u32 quads, class Update, class Put>
DEV void bringResidual(Arguments &p, const Worker &w, MatrixArguments &m, u64 residual, u64 embeddingRow, u64 gamma,
                       Update update, Put put) {
    const Slice slice = sliceOf(m, w.wave);
    float squares = 0.0f;
    for (u32 base = 0; base < slice.count; base += 4 * waveLanes * quads) {
        u32 index[quads];
        f32x4 a[quads], g[quads], x[quads];
#pragma unroll
        for (u32 i = 0; i < quads; i++) { // everything that need not be waited for, first
            index[i] = slice.begin + minimum(quadPlace(w, base, i), slice.count - 4);
            a[i] = *global<const f32x4>(residual + static_cast<u64>(index[i]) * 4);
            g[i] = normFactors(gamma, index[i]);
        }
        if (embeddingRow != 0) {
#pragma unroll
            for (u32 i = 0; i < quads; i++) {
                const u32x2 pairs = *global<const u32x2>(embeddingRow + static_cast<u64>(index[i]) * 2);
                a[i] = f32x4{bf16Low(pairs[0]), bf16High(pairs[0]), bf16Low(pairs[1]), bf16High(pairs[1])};
            }
        } else {
            update(index, x);
#pragma unroll
            for (u32 i = 0; i < quads; i++) {
#pragma unroll
                for (u32 n = 0; n < 4; n++) {
                    a[i][n] = addRounded(a[i][n], x[i][n]);
                }
            }
        }
#pragma unroll
        for (u32 i = 0; i < quads; i++) {
            const u32 local = quadPlace(w, base, i);
            if (local < slice.count) {
                *global<f32x4>(residual + static_cast<u64>(index[i]) * 4) = a[i];
                squares += sumOfSquares(a[i]);
                put(local, index[i], a[i] * g[i]);
            }
        }
    }
    storeNormSum(p, w, squares);
}

/// Stages a packed vector times `gamma`, with its sum of squares, or as it is where that is 0.
template <u32 quads>
DEV void stagePacked(Arguments &p, Worker &w, MatrixArguments &m, u32 edge, u32 layer, u64 words, u64 gamma) {
    const Slice slice = sliceOf(m, w.wave);
    float squares = 0.0f;
    for (u32 base = 0; base < slice.count; base += 4 * waveLanes * quads) {
        u32 index[quads];
        f32x4 values[quads];
#pragma unroll
        for (u32 i = 0; i < quads; i++) {
            index[i] = slice.begin + minimum(quadPlace(w, base, i), slice.count - 4);
        }
        collectPacked(p, w, edge, layer, values,
                      [&](u32 i) INLINED { return global<const u64>(words) + (index[i] >> 1); });
#pragma unroll
        for (u32 i = 0; i < quads; i++) {
            const u32 local = quadPlace(w, base, i);
            if (local < slice.count) {
                squares += sumOfSquares(values[i]);
                stageQuad(m, w.wave, local, values[i] * normFactors(gamma, index[i]));
            }
        }
    }
    if (gamma != 0) {
        storeNormSum(p, w, squares);
    }
}

/// Stages a packed vector likewise.
DEV void stageVector(Arguments &p, Worker &w, MatrixArguments &m, u32 edge, u32 layer, u64 words, u64 gamma) {
    withQuads<longBatchQuads>(
        sliceOf(m, w.wave), [&](auto quads) INLINED { stagePacked<quads.count>(p, w, m, edge, layer, words, gamma); });
}

/// Stages a tagged vector times `gamma`, with its sum of squares.
DEV void stageTagged(Arguments &p, Worker &w, MatrixArguments &m, u32 edge, u32 layer, u64 words, u64 gamma) {
    const Slice slice = sliceOf(m, w.wave);
    float squares = 0.0f;
    for (u32 base = 0; base < slice.count; base += 4 * waveLanes) {
        const u32 local = base + 4 * w.lane, index = slice.begin + minimum(local, slice.count - 4);
        float even[2], odd[2];
        collect(p, w, edge, layer, even, odd, [&](u32 i) INLINED { return global<const u64>(words) + index + 2 * i; });
        if (local < slice.count) {
            const f32x4 values{even[0], odd[0], even[1], odd[1]};
            squares += sumOfSquares(values);
            stageQuad(m, w.wave, local, values * normFactors(gamma, index));
        }
    }
    storeNormSum(p, w, squares);
}

/// The words of attention: in turn the tagged pair of a chunk and a packed pair of its values.
struct Attended {
    DEV_MEMBER static u32 late(u64 word, u32 tag, u32 index) {
        return index % 2 == 0 ? Tagged::late(word, tag, index) : Packed::late(word, tag, index);
    }
};

/// Gives put(index in the slice, index, values) the heads' outputs, four by four, merging the chunks of the KV cache
/// that different workgroups attended to: each chunk gives its maximum score, its sum of weights and its weighted sum
/// of values.
template <class Put>
DEV void bringAttention(Arguments &p, Worker &w, MatrixArguments &m, u32 layer, u64 words, Put put) {
    const Slice slice = sliceOf(m, w.wave);
    for (u32 base = 0; base < slice.count; base += 4 * waveLanes) {
        const u32 local = quadPlace(w, base, 0);
        const u32 index = slice.begin + minimum(local, slice.count - 4);
        const u32 head = quotient(index, p.headDimDivisor), element = index - head * p.headDim;
        GLOBAL const u64 *chunks = global<const u64>(words) + head * p.chunks * chunkWords(p);
        float top = -1e30f, total = 0.0f;
        f32x4 sum{};
        for (u32 c = 0; c < p.chunks; c += batchChunks) {
            WordPair pairs[2 * batchChunks];
            awaitPairs<Attended>(p, w, waitAttention, layer, pairs, [&](u32 i) INLINED {
                return chunks + minimum(c + (i >> 1), p.chunks - 1) * chunkWords(p) +
                       ((i & 1) != 0 ? 2 + (element >> 1) : 0);
            });
#pragma unroll
            for (u32 i = 0; i < batchChunks; i++) {
                const float score = c + i < p.chunks ? asFloat(static_cast<u32>(pairs[2 * i].first)) : -1e30f;
                const float peak = larger(top, score);
                const float keep = exponential2(top - peak);
                const float add = c + i < p.chunks ? exponential2(score - peak) : 0.0f;
                total = total * keep + asFloat(static_cast<u32>(pairs[2 * i].second)) * add;
                sum = sum * keep + valuesOf(pairs[2 * i + 1]) * add;
                top = peak;
            }
        }
        if (local < slice.count) {
            put(local, index, sum / total);
        }
        rejoin();
    }
}

} // namespace monokernel::kernel
