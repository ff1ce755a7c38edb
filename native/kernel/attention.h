#pragma once

#include "attention_block.h"

// Attention of a token. A KV head's cache is split over `chunks` workgroups of its lane, in blocks of waveLanes
// positions dealt round-robin over chunks and waves; the output projection's readers merge the chunks. The last chunk's
// workgroup owns the new position: it writes the cache.

namespace monokernel::kernel {

constexpr u32 maxHeadDim = 256;

/// One workgroup's share of a token's attention: a KV head, a chunk of its cache and some of the head's queries.
struct AttentionUnit {
    u32 layer, lane, kvHead, chunk, position;
    u32 query, queries; ///< the first of the KV head's, and how many
    u64 queryKeyValue;  ///< tagged words of [rows of q, k and v] of this lane and token
    u64 out;            ///< as publishChunk's
};

/// One pass over the cache for `count` of the unit's queries, from `query` on.
template <u32 queries, u32 capacity>
DEV void attendQueries(Arguments &all, const Worker &w, const AttentionUnit &u, u32 query, u32 count,
                       const CacheHead &cache, BlockWalk walk, CacheBlock<capacity> &ahead) {
    Arguments &p = *refresh(&all);
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
        attendNew(p, w, query, scratchVector(p, u.queries), scratchVector(p, u.queries + 1), state);
    }
    const u32 head = u.kvHead * p.headGroup + u.query + query;
    publishChunk(p, w, scratchVector(p, u.queries + 2), u.out, head, count, u.chunk, state);
}

/// The last chunk's unit owns the new position: it attends to it.
DEV bool ownsPosition(Arguments &p, const AttentionUnit &u) { return u.chunk == p.chunks - 1; }

/// Brings the unit's queries, and its owner the new key and value, into shared memory: by the last waves, which seldom
/// have a block of the cache to ask for. A barrier must follow.
DEV void stageUnit(Arguments &p, Worker &w, const AttentionUnit &u) {
    const u32 queries = u.queries;
    for (u32 v = workgroupWaves - 1 - w.wave; v < queries + (ownsPosition(p, u) ? 2 : 0); v += workgroupWaves) {
        const HeadVector kind = v < queries ? vectorQuery : v == queries ? vectorKey : vectorValue;
        const u32 row =
            v < queries ? u.kvHead * p.headGroup + u.query + v : p.laneHeads + (v - queries) * p.laneKvHeads + u.kvHead;
        stageHead(p, w, u.layer, u.lane, u.queryKeyValue, row, u.position, scratchVector(p, v), kind);
    }
}

/// A unit of heads of up to `capacity` elements, `queries` at a time. Most waves ask for the first block of the cache
/// while the last ones wait for the queries: by the time these are there it is too.
template <u32 queries, u32 capacity> DEV void attendUnit(Arguments &all, Worker &w, const AttentionUnit &unit) {
    Arguments &p = *refresh(&all);
    const AttentionUnit u{opaque(unit.layer),   opaque(unit.lane),     opaque(unit.kvHead),
                          opaque(unit.chunk),   opaque(unit.position), opaque(unit.query),
                          opaque(unit.queries), unit.queryKeyValue,    unit.out};
    const CacheHead cache = cacheHead(p, u.layer, u.lane, u.kvHead);
    const u32 begin = firstSeen(p, u.layer, u.position);
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
            barrier(); // of what stageUnit brought
        }
        attendQueries<queries, capacity>(p, w, u, query, minimum(queries, u.queries - query), cache, walk, ahead);
        query += queries;
    } while (query < u.queries);
}

/// The same with as few registers as the head's size allows.
DEV void attendHead(Arguments &p, Worker &w, const AttentionUnit &u) {
    if (p.headDim > 128) {
        attendUnit<1, maxHeadDim>(p, w, u);
    } else if (p.headDim > 96) {
        attendUnit<maxQueries, 128>(p, w, u);
    } else if (u.queries > 1) {
        attendUnit<maxQueries, 96>(p, w, u);
    } else if (p.headDim > 64) {
        attendUnit<1, 96>(p, w, u);
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
    return step.count * p.laneKvHeads * p.chunks * (step.count > 1 ? 1 : p.queryParts);
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
        const u32 own = unit, part = own >> p.chunksLog2; // [token, KV head, part of its queries, chunk]
        const u32 head = prefill ? part : partHead(p, part), token = quotient(head, p.kvHeadsDivisor);
        const u32 query = prefill ? 0 : part - head * p.queryParts; // each a part where there are several
        const AttentionUnit u{layer,
                              lane,
                              head - token * p.laneKvHeads,
                              own & (p.chunks - 1),
                              step.position + token,
                              query,
                              prefill || p.queryParts == 1 ? p.headGroup : 1,
                              prefill ? prefillWords(p, p.prefillQueryKeyValue, layer, lane, token, rows)
                                      : edgeWords(p, p.queryKeyValue, layer, lane, rows),
                              prefill ? prefillWords(p, p.prefillAttention, layer, lane, token, outWords)
                                      : edgeWords(p, p.attention, layer, lane, outWords)};
        if (prefill) {
            awaitCached(p, w, layer, lane, token, u.kvHead);
        }
        stageUnit(p, w, u);
        attendHead(p, w, u);
        if (ownsPosition(p, u) && query == 0 && !prefill) {
            const u32 key = u.queries;
            writeCache(p, cacheHead(p, layer, lane, u.kvHead), u.position, scratchVector(p, key),
                       scratchVector(p, key + 1));
        }
        barrier();
    }
}

} // namespace monokernel::kernel
