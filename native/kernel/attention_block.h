#pragma once

#include "head_vectors.h"
#include "softmax.h"

// What a wave does with a block of cached positions, or with the new one: scores of the queries, weighted values.

namespace monokernel::kernel {

/// A wave's share of a unit: of every `stride` blocks one, from `block` on; positions in [begin, end) are seen.
struct BlockWalk {
    u32 block, stride, blocks, begin, end;
    DEV_MEMBER bool there() const { return block < blocks; }
};

DEV float dot4(f32x4 a, f32x4 b, float sum) {
    sum = __builtin_fmaf(a[0], b[0], sum);
    sum = __builtin_fmaf(a[1], b[1], sum);
    sum = __builtin_fmaf(a[2], b[2], sum);
    return __builtin_fmaf(a[3], b[3], sum);
}
/// Adds the products of a 16-byte piece's halves with two vectors of shared memory, to two sums: a shorter chain.
DEV void dotPiece(u32x4 piece, SHARED const f32x4 *with, float (&sums)[2]) {
    const f32x4 low{lowHalf(piece[0]), highHalf(piece[0]), lowHalf(piece[1]), highHalf(piece[1])};
    const f32x4 high{lowHalf(piece[2]), highHalf(piece[2]), lowHalf(piece[3]), highHalf(piece[3])};
    sums[0] = dot4(low, with[0], sums[0]);
    sums[1] = dot4(high, with[1], sums[1]);
}

/// The scores of this lane's position, from the keys that are ahead; then asks for the next block's.
template <u32 queries, u32 capacity>
DEV void scoreBlock(Arguments &p, const Worker &w, const CacheHead &cache, u32 query, const BlockWalk &walk,
                    CacheBlock<capacity> &ahead, float (&scores)[queries]) {
    constexpr u32 asked = HeadShape<capacity>::keyPieces;
    const u32 pieces = p.headDim / pieceHalves;
    float sums[queries][2] = {};
    u32 base = 0;
    do {
        if (base > 0) {
            askKeys(p, w, cache, walk.block, base, ahead);
        }
        SHARED const f32x4 *with[queries]; // addresses by constants from here
#pragma unroll
        for (u32 q = 0; q < queries; q++) {
            with[q] = (SHARED const f32x4 *)shared(scratchVector(p, query + q) + base * pieceHalves);
        }
        const auto add = [&](u32 count) INLINED {
#pragma unroll
            for (u32 i = 0; i < asked; i++) {
                if (i < count) {
#pragma unroll
                    for (u32 q = 0; q < queries; q++) {
                        dotPiece(ahead.keys[i], with[q] + 2 * i, sums[q]);
                    }
                }
            }
        };
        // Without conditions where it can be: behind them each piece would wait for its own loads.
        either(base + asked <= pieces, [&]() INLINED { add(asked); }, [&]() INLINED { add(pieces - base); });
        base += asked;
    } while (asked * pieceHalves < capacity && base < pieces);
    const u32 position = walk.block * waveLanes + w.lane;
    const bool seen = position >= walk.begin && position < walk.end;
#pragma unroll
    for (u32 q = 0; q < queries; q++) {
        scores[q] = seen ? sums[q][0] + sums[q][1] : -1e30f;
    }
    if (walk.block + walk.stride < walk.blocks) {
        askKeys(p, w, cache, walk.block + walk.stride, 0, ahead);
    }
}

/// What lies past the last position may be anything, and 0 * NaN is NaN.
template <u32 capacity> DEV void clearPast(u32 positions, CacheBlock<capacity> &ahead) {
#pragma unroll
    for (u32 i = 0; i < valuePieces; i++) {
#pragma unroll
        for (u32 n = 0; n < 4; n++) {
            const u32 first = pieceHalves * i + 2 * n;
            const u32 mask = (first < positions ? 0xffffu : 0) | (first + 1 < positions ? 0xffff0000u : 0);
#pragma unroll
            for (u32 j = 0; j < HeadShape<capacity>::askedElements; j++) {
                ahead.values[j][i][n] &= mask;
            }
        }
    }
}

/// Adds the block's values times the weights in shared memory; then asks for the next block's.
template <u32 queries, u32 capacity>
DEV void addValues(Arguments &p, const Worker &w, const CacheHead &cache, u32 weights, const BlockWalk &walk,
                   CacheBlock<capacity> &ahead, Softmax<queries, HeadShape<capacity>::elements> &state) {
    constexpr u32 elements = HeadShape<capacity>::elements, asked = HeadShape<capacity>::askedElements;
    const u32 positions = walk.end - walk.block * waveLanes;
#pragma unroll
    for (u32 base = 0; base < elements; base += asked) {
        if (base * waveLanes >= p.headDim) {
            continue;
        }
        if (base > 0) {
            askValues(p, w, cache, walk.block, base, ahead);
        }
        if (positions < waveLanes) {
            clearPast(positions, ahead);
        }
        float sums[queries][asked][2] = {};
        SHARED const f32x4 *with = (SHARED const f32x4 *)shared(weights);
#pragma unroll
        for (u32 i = 0; i < valuePieces; i++) {
#pragma unroll
            for (u32 j = 0; j < asked; j++) {
#pragma unroll
                for (u32 q = 0; q < queries; q++) { // innermost: a piece's floats are not kept for another turn
                    dotPiece(ahead.values[j][i], with + q * (waveLanes / 4) + 2 * i, sums[q][j]);
                }
            }
        }
#pragma unroll
        for (u32 j = 0; j < asked; j++) {
#pragma unroll
            for (u32 q = 0; q < queries; q++) {
                if (base + j < elements) {
                    state.values[base + j][q] += sums[q][j][0] + sums[q][j][1];
                }
            }
        }
    }
    if (walk.block + walk.stride < walk.blocks) {
        askValues(p, w, cache, walk.block + walk.stride, 0, ahead);
    }
}

/// The new position, whose key and value are in shared memory.
template <u32 queries, u32 elements>
DEV void attendNew(Arguments &p, const Worker &w, u32 query, u32 key, u32 value, Softmax<queries, elements> &state) {
#pragma unroll
    for (u32 q = 0; q < queries; q++) {
        float score = 0.0f;
        for (u32 i = w.lane; i < p.headDim; i += waveLanes) {
            score += *shared(scratchVector(p, query + q) + i) * *shared(key + i);
        }
        score = waveSum(score);
        const float weight = admit(state, q, w.lane == 0 ? score : -1e30f); // of the other lanes 0
        const float all = asFloat(uniform(asBits(weight)));
#pragma unroll
        for (u32 j = 0; j < elements; j++) {
            state.values[j][q] += all * *shared(value + minimum(w.lane + j * waveLanes, p.headDim - 1));
        }
    }
}

} // namespace monokernel::kernel
