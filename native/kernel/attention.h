#pragma once

#include "kv_cache.h"
#include "stage.h"

// Attention of a token. A KV head's cache is split over `chunks` workgroups of its lane, in blocks of waveLanes
// positions dealt round-robin over chunks and waves; the output projection's readers merge the chunks. The last chunk's
// workgroup owns the new position: it writes the cache.

namespace monokernel::kernel {

constexpr u32 maxHeadDim = 256;
constexpr u32 maxQueries = 2; ///< query heads that share a pass over the cache: more do not fit into the registers

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

/// A wave's running softmax over the positions it has seen, for up to `queries` heads: per lane a share of the sum of
/// weights, and the weighted values' elements lane, lane + waveLanes, ...
template <u32 queries, u32 elements> struct Softmax {
    float top[queries];
    float sum[queries];
    float values[elements][queries];
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

/// One workgroup's share of a token's attention: a KV head and a chunk of its cache.
struct AttentionUnit {
    u32 layer, lane, kvHead, chunk, position;
    u64 queryKeyValue; ///< tagged words of [rows of q, k and v] of this lane and token
    u64 out;           ///< as publishChunk's
};

/// A wave's share of a unit: of every `stride` blocks one, from `block` on; positions in [begin, end) are seen.
struct BlockWalk {
    u32 block, stride, blocks, begin, end;
    DEV_MEMBER bool there() const { return block < blocks; }
};

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
#pragma unroll
        for (u32 i = 0; i < asked; i++) {
            if (base + i < pieces) {
#pragma unroll
                for (u32 q = 0; q < queries; q++) {
                    dotPiece(ahead.keys[i], with[q] + 2 * i, sums[q]);
                }
            }
        }
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

/// Adds up the waves' softmaxes and publishes the chunk's in `out` (tagged words of [heads, chunks, headDim + 2]):
/// maximum, sum of weights, weighted values.
template <u32 queries, u32 elements>
DEV void publishChunk(Arguments &all, const Worker &w, u32 merge, u64 out, u32 head, u32 count, u32 chunk,
                      Softmax<queries, elements> &state) {
    Arguments &p = *refresh(&all);
    const u32 width = p.headDim + 2;
#pragma unroll
    for (u32 q = 0; q < queries; q++) {
        const u32 at = merge + (w.wave * maxQueries + q) * width;
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
    barrier();
    constexpr u32 wordThreads = workgroupThreads / maxQueries; // that share a query's words
    for (u32 q = threadIndex() / wordThreads; q < count; q += maxQueries) {
        for (u32 word = threadIndex() % wordThreads; word <= p.headDim; word += wordThreads) {
            float tops[workgroupWaves], parts[workgroupWaves], top = -1e30f, sum = 0.0f;
#pragma unroll
            for (u32 v = 0; v < workgroupWaves; v++) { // all loads at once
                const u32 at = merge + (v * maxQueries + q) * width;
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
    barrier();
}

/// One pass over the cache for `count` of the unit's queries, from `query` on.
template <u32 queries, u32 capacity>
DEV void attendQueries(Arguments &all, const Worker &w, const AttentionUnit &u, u32 query, u32 count,
                       const CacheHead &cache, BlockWalk walk, CacheBlock<capacity> &ahead) {
    Arguments &p = *refresh(&all);
    const u32 group = p.headGroup;
    Softmax<queries, HeadShape<capacity>::elements> state;
#pragma unroll
    for (u32 q = 0; q < queries; q++) {
        state.top[q] = -1e30f;
        state.sum[q] = 0.0f;
#pragma unroll
        for (u32 j = 0; j < HeadShape<capacity>::elements; j++) {
            state.values[j][q] = 0.0f;
        }
    }
    const u32 weights = p.sumsOffset + 2 * workgroupWaves + w.wave * (maxQueries * waveLanes);
    for (; walk.there(); walk.block += walk.stride) {
        float scores[queries];
        scoreBlock(p, w, cache, query, walk, ahead, scores);
#pragma unroll
        for (u32 q = 0; q < queries; q++) {
            *shared(weights + q * waveLanes + w.lane) = admit(state, q, scores[q]);
        }
        waveSync();
        addValues(p, w, cache, weights, walk, ahead, state);
        waveSync();
    }
    if (u.chunk == p.chunks - 1 && w.wave == workgroupWaves - 1) {
        attendNew(p, w, query, scratchVector(p, group), scratchVector(p, group + 1), state);
    }
    publishChunk(p, w, scratchVector(p, group + 2), u.out, u.kvHead * group + query, count, u.chunk, state);
}

/// The last chunk's unit owns the new position: it attends to it.
DEV bool ownsPosition(Arguments &p, const AttentionUnit &u) { return u.chunk == p.chunks - 1; }

/// Brings the unit's queries, and its owner the new key and value, into shared memory. Ends with a barrier.
DEV void stageUnit(Arguments &p, Worker &w, const AttentionUnit &u) {
    const u32 group = p.headGroup;
    for (u32 v = w.wave; v < group + (ownsPosition(p, u) ? 2 : 0); v += workgroupWaves) {
        const HeadVector kind = v < group ? vectorQuery : v == group ? vectorKey : vectorValue;
        const u32 row = v < group ? u.kvHead * group + v : p.laneHeads + (v - group) * p.laneKvHeads + u.kvHead;
        stageHead(p, w, u.layer, u.lane, u.queryKeyValue, row, u.position, scratchVector(p, v), kind);
    }
    barrier();
}

/// A unit of heads of up to `capacity` elements, `queries` at a time. The first block of the cache is asked for before
/// the queries are waited for: by the time they are there it is too.
template <u32 queries, u32 capacity> DEV void attendUnit(Arguments &all, Worker &w, const AttentionUnit &unit) {
    Arguments &p = *refresh(&all);
    const AttentionUnit u{
        opaque(unit.layer), opaque(unit.lane), opaque(unit.kvHead), opaque(unit.chunk), opaque(unit.position),
        unit.queryKeyValue, unit.out};
    const CacheHead cache = cacheHead(p, u.layer, u.lane, u.kvHead);
    const u32 begin = firstSeen(p, u.layer, u.position), group = p.headGroup;
    const BlockWalk walk{firstBlock(p, w, begin, u.chunk), p.chunks * workgroupWaves,
                         (u.position + waveLanes - 1) / waveLanes, begin, u.position};
    CacheBlock<capacity> ahead{};
    u32 query = 0;
    do {
        if (walk.there()) {
            askKeys(p, w, cache, walk.block, 0, ahead);
            askValues(p, w, cache, walk.block, 0, ahead);
        }
        if (query == 0) {
            stageUnit(p, w, u);
        }
        attendQueries<queries, capacity>(p, w, u, query, minimum(queries, group - query), cache, walk, ahead);
        query += queries;
    } while (query < group);
}

/// The same with as few registers as the head's size allows.
DEV void attendHead(Arguments &p, Worker &w, const AttentionUnit &u) {
    if (p.headDim > 128) {
        attendUnit<1, maxHeadDim>(p, w, u);
    } else if (p.headDim > 96) {
        attendUnit<maxQueries, 128>(p, w, u);
    } else if (p.headDim > 64 || p.laneHeads > p.laneKvHeads) {
        attendUnit<maxQueries, 96>(p, w, u);
    } else {
        attendUnit<1, 64>(p, w, u);
    }
}

/// Waits until the cache holds the step's tokens before `token`.
DEV void awaitCached(Arguments &p, Worker &w, u32 layer, u32 lane, u32 token, u32 kvHead) {
    if (token > 0) {
        const u64 flags = prefillWords(p, p.prefillCached, layer, lane, minimum(w.lane, token - 1), p.laneKvHeads);
        u32 values[1];
        collectWords(p, w, waitCache, layer, values, [&](u32) INLINED { return global<const u64>(flags) + kvHead; });
        acquire();
    }
}

/// All workgroups' units of a step.
DEV u32 unitsOf(Arguments &all, const Step &step) {
    Arguments &p = *refresh(&all);
    return step.count * p.laneKvHeads * p.chunks;
}

/// The attention phase: this workgroup's units of the step's tokens. In a decode step the owners write the cache; in a
/// prefill step it has been written, and says so token by token.
DEV void attend(Arguments &all, Worker &w, u32 layerOfStep, u32 laneOfStep, const Step &step) {
    for (Parked unit = w.member; unit < unitsOf(all, step); unit += refresh(&all)->members) {
        Arguments &p = *refresh(&all); // nothing is computed ahead of the loop: it seldom has a second turn
        renew(w);
        const u32 layer = opaque(layerOfStep), lane = opaque(laneOfStep);
        const bool prefill = opaque(step.count) > 1;
        const u32 rows = (p.laneHeads + 2 * p.laneKvHeads) * p.headDim;
        const u32 outWords = p.laneHeads * p.chunks * (p.headDim + 2);
        const u32 own = unit, head = own >> p.chunksLog2,
                  token = quotient(head, p.kvHeadsDivisor); // [token, KV head, chunk]
        const AttentionUnit u{layer,
                              lane,
                              head - token * p.laneKvHeads,
                              own & (p.chunks - 1),
                              step.position + token,
                              prefill ? prefillWords(p, p.prefillQueryKeyValue, layer, lane, token, rows)
                                      : edgeWords(p, p.queryKeyValue, layer, lane, rows),
                              prefill ? prefillWords(p, p.prefillAttention, layer, lane, token, outWords)
                                      : edgeWords(p, p.attention, layer, lane, outWords)};
        if (prefill) {
            awaitCached(p, w, layer, lane, token, u.kvHead);
        }
        attendHead(p, w, u);
        if (ownsPosition(p, u) && !prefill) {
            const u32 key = p.headGroup;
            writeCache(p, cacheHead(p, layer, lane, u.kvHead), u.position, scratchVector(p, key),
                       scratchVector(p, key + 1));
        }
        barrier();
    }
}

} // namespace monokernel::kernel
