#pragma once

#include "attention_block.h"

// Attention of a token, or of some neighbouring ones of a prefill step. A KV head's cache is split over `chunks`
// workgroups of its lane, in blocks of waveLanes positions dealt round-robin over chunks and waves; the output
// projection's readers merge the chunks. The last chunk's workgroup owns the new positions: it writes the cache.

namespace monokernel::kernel {

constexpr u32 maxHeadDim = 256;

/// One workgroup's share of attention: a KV head, a chunk of its cache, some of the head's queries, and the
/// neighbouring tokens of a step that it takes.
struct AttentionUnit {
    u32 layer, lane, kvHead, chunk;
    u32 position, tokens; ///< the first token's position, and how many tokens
    u32 query, queries;   ///< the first of the KV head's, and how many
    u64 queryKeyValue;    ///< tagged words of [tokens, rows of q, k and v] of this lane
    u64 out;              ///< [tokens] of publishChunk's
};

/// Vectors of a unit's token in the scratch area: its queries, then its key and value.
DEV u32 tokenVectors(const AttentionUnit &u) { return u.queries + 2; }
DEV u32 headRows(Arguments &p) { return (p.laneHeads + 2 * p.laneKvHeads) * p.headDim; }

/// A pass over the cache: some queries of one of a unit's tokens. Tokens come last first, as what a pass clears of a
/// block that is kept no earlier token sees.
struct AttentionPass {
    Parked token, query;

    /// Goes on to the next one with `queries` at a time; false past the last.
    DEV_MEMBER bool next(const AttentionUnit &u, u32 queries) {
        query += queries;
        if (query < u.queries) {
            return true;
        }
        query = 0;
        token += ~0u; // one less
        return token != ~0u;
    }
};

/// One pass; leaves the wave's softmaxes at `kept`.
template <u32 queries, u32 capacity>
DEV void attendQueries(Arguments &all, const Worker &w, const AttentionUnit &u, AttentionPass pass, u32 kept,
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
    const u32 vectors = pass.token * tokenVectors(u), first = vectors + pass.query, key = vectors + u.queries;
    for (; walk.there(); walk.block += walk.stride) {
        float scores[queries];
        scoreBlock(p, w, cache, first, walk, ahead, scores);
#pragma unroll
        for (u32 q = 0; q < queries; q++) {
            *shared(weights + q * waveLanes + w.lane) = admit(state, q, scores[q]);
        }
        waveSync();
        addValues(p, w, cache, weights, walk, ahead, state);
        waveSync();
    }
    if (u.chunk == p.chunks - 1 && w.wave == workgroupWaves - 1) {
        attendNew(p, w, first, scratchVector(p, key), scratchVector(p, key + 1), state);
    }
    keepSoftmax(p, w, kept, state);
}

/// The last chunk's unit owns the new positions: it attends to them.
DEV bool ownsPosition(Arguments &p, const AttentionUnit &u) { return u.chunk == p.chunks - 1; }

/// Brings the unit's queries, and its owner the new keys and values, into shared memory: by the last waves, which
/// seldom have a block of the cache to ask for. A barrier must follow.
DEV void stageUnit(Arguments &p, Worker &w, const AttentionUnit &u) {
    const u32 queries = u.queries, brought = queries + (ownsPosition(p, u) ? 2 : 0);
    for (u32 token = 0; token < u.tokens; token++) {
        const u64 heads = u.queryKeyValue + static_cast<u64>(token) * headRows(p) * 8;
        // The first wave after those of the token before has its first vector.
        u32 v = (workgroupWaves - 1 - w.wave - token * brought) & (workgroupWaves - 1);
        for (; v < brought; v += workgroupWaves) {
            const HeadVector kind = v < queries ? vectorQuery : v == queries ? vectorKey : vectorValue;
            const u32 row = v < queries ? u.kvHead * p.headGroup + u.query + v
                                        : p.laneHeads + (v - queries) * p.laneKvHeads + u.kvHead;
            stageHead(p, w, u.layer, u.lane, heads, row, u.position + token,
                      scratchVector(p, token * tokenVectors(u) + v), kind);
        }
    }
}

/// Whether a lane holds all of its share of a block at once (HeadShape).
template <u32 capacity>
constexpr bool holdsBlock = HeadShape<capacity>::keyPieces * pieceHalves >= capacity &&
                            HeadShape<capacity>::askedElements >= HeadShape<capacity>::elements;

/// A unit of heads of up to `capacity` elements, `queries` at a time. Most waves ask for the first block of the cache
/// while the last ones wait for the queries: by the time these are there it is too. A wave that has one block keeps it
/// for all passes.
template <u32 queries, u32 capacity> DEV void attendUnit(Arguments &all, Worker &w, const AttentionUnit &unit) {
    Arguments &p = *refresh(&all);
    const AttentionUnit u{
        opaque(unit.layer),  opaque(unit.lane),  opaque(unit.kvHead),  opaque(unit.chunk), opaque(unit.position),
        opaque(unit.tokens), opaque(unit.query), opaque(unit.queries), unit.queryKeyValue, unit.out};
    const CacheHead cache = cacheHead(p, u.layer, u.lane, u.kvHead);
    const u32 firstSlot = scratchVector(p, u.tokens * tokenVectors(u));
    CacheBlock<capacity> ahead{};
    AttentionPass pass{Parked(u.tokens - 1), Parked(0)}, published = pass;
    Parked held(~0u), passes(0); // the block that is kept; passes whose softmaxes lie in shared memory
    bool more = true, staged = false;
    do {
        const u32 position = u.position + pass.token, begin = firstSeen(p, u.layer, position);
        const BlockWalk walk{firstBlock(p, w, begin, u.chunk), p.chunks * workgroupWaves,
                             (position + waveLanes - 1) / waveLanes, begin, position};
        if (walk.there() && walk.block != held) {
            askKeys(p, w, cache, walk.block, 0, ahead);
            askValues(p, w, cache, walk.block, 0, ahead);
        }
        if (!staged) {
            barrier(); // of what stageUnit brought
            staged = true;
        }
        attendQueries<queries, capacity>(p, w, u, pass, firstSlot + passes * keptFloats(p), cache, walk, ahead);
        const bool single = walk.there() && walk.block + walk.stride >= walk.blocks;
        held = holdsBlock<capacity> && single ? walk.block : ~0u;
        more = pass.next(u, queries);
        passes += 1;
        if (!more || passes == p.attentionSlots) {
            barrier();
            for (u32 slot = 0; slot < passes; slot++) {
                publishChunk(p, w, firstSlot + slot * keptFloats(p),
                             u.out + static_cast<u64>(published.token) * attentionWords(p) * 8,
                             u.kvHead * p.headGroup + u.query + published.query,
                             minimum(queries, u.queries - published.query), u.chunk);
                published.next(u, queries);
            }
            barrier();
            passes = 0;
        }
    } while (more);
}

/// The same with as few registers as the head's size allows.
DEV void attendHead(Arguments &p, Worker &w, const AttentionUnit &u) {
    if (p.headDim > 128) {
        attendUnit<1, maxHeadDim>(p, w, u);
    } else if (p.headDim > 96 && u.queries > 1) {
        attendUnit<maxQueries, 128>(p, w, u);
    } else if (p.headDim > 96) {
        attendUnit<1, 128>(p, w, u);
    } else if (u.queries > 1) {
        attendUnit<maxQueries, 96>(p, w, u);
    } else if (p.headDim > 64) {
        attendUnit<1, 96>(p, w, u);
    } else {
        attendUnit<1, 64>(p, w, u);
    }
}

/// Waits until the cache holds the step's first `count` tokens.
DEV void awaitCached(Arguments &p, Worker &w, u32 layer, u32 lane, u32 count, u32 kvHead) {
    if (count > 0) {
        const u64 flags = prefillWords(p, p.prefillCached, layer, lane, minimum(w.lane, count - 1), p.laneKvHeads);
        u32 values[1];
        collectWords(p, w, waitCache, layer, values, [&](u32) INLINED { return global<const u64>(flags) + kvHead; });
        acquire();
    }
}

/// Runs of neighbouring tokens that a prefill step's units take, and where one begins.
DEV u32 tokenRuns(Arguments &p, const Step &step) { return minimum(p.tokenShares, step.count); }
DEV u32 runBegin(Arguments &p, const Step &step, u32 run) {
    return step.count <= p.tokenShares ? run : quotient(step.count * run, p.tokenSharesDivisor);
}

/// All workgroups' units of a step.
DEV u32 unitsOf(Arguments &all, const Step &step) {
    Arguments &p = *refresh(&all);
    return p.laneKvHeads * p.chunks * (step.count > 1 ? tokenRuns(p, step) : p.queryParts);
}

/// The attention phase: this workgroup's units of the step's tokens. In a decode step the owners write the cache; in a
/// prefill step it has been written, and says so token by token.
DEV void attend(Arguments &all, Worker &w, const Parked &layerOfStep, const Parked &laneOfStep, const Step &step) {
    for (Parked unit = w.member; unit < unitsOf(all, step); unit += refresh(&all)->members) {
        Arguments &p = *refresh(&all); // nothing is computed ahead of the loop: it seldom has a second turn
        renew(w);
        const u32 layer = opaque(layerOfStep), lane = opaque(laneOfStep);
        const bool prefill = opaque(step.count) > 1;
        const u32 own = unit, part = own >> p.chunksLog2; // [run of tokens, KV head, part of its queries, chunk]
        const u32 head = prefill ? part : partHead(p, part), run = quotient(head, p.kvHeadsDivisor);
        const u32 query = prefill ? 0 : part - head * p.queryParts; // each a part where there are several
        const u32 token = runBegin(p, step, run), tokens = runBegin(p, step, run + 1) - token;
        const AttentionUnit u{
            layer,
            lane,
            head - run * p.laneKvHeads,
            own & (p.chunks - 1),
            step.position + token,
            tokens,
            query,
            prefill || p.queryParts == 1 ? p.headGroup : 1,
            prefill ? prefillWords(p, p.prefillQueryKeyValue, layer, lane, token, headRows(p))
                    : edgeWords(p, p.queryKeyValue, layer, lane, headRows(p)),
            prefill ? prefillWords(p, p.prefillAttention, layer, lane, token, attentionWords(p))
                    : edgeWords(p, p.attention, layer, lane, attentionWords(p)),
        };
        if (prefill) {
            awaitCached(p, w, layer, lane, token + u.tokens - 1, u.kvHead);
        }
        stageUnit(p, w, u);
        w.timeline.mark(momentInput);
        attendHead(p, w, u);
        w.timeline.mark(momentMultiplied);
        if (ownsPosition(p, u) && u.query == 0 && opaque(step.count) <= 1) {
            writeCache(p, cacheHead(p, layer, lane, u.kvHead), u.position, scratchVector(p, u.queries),
                       scratchVector(p, u.queries + 1));
        }
        barrier();
    }
}

} // namespace monokernel::kernel
