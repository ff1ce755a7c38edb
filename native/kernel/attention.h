#pragma once

#include "phases.h"
#include "stage.h"

// Attention of a token. A KV head's cache is split over `chunks` workgroups of its lane, in blocks of waveLanes
// positions dealt round-robin over chunks and waves; the output projection's readers merge the chunks. The last chunk's
// workgroup owns the new position: it writes the cache.

namespace monokernel::kernel {

constexpr u32 maxHeadDim = 256;
constexpr u32 maxQueries = 2; ///< query heads that share a pass over the cache: more do not fit into the registers

constexpr u32 keyBlock = 64;  ///< positions that lie together in the key cache
constexpr u32 keyBatch = 8;   ///< 16-byte loads of keys in flight a lane
constexpr u32 valueGroup = 2; ///< elements of a head whose values are loaded at once

/// Vectors of headDim floats in the scratch area of shared memory: queries, then the new key and value.
DEV u32 scratchVector(Arguments &p, u32 index) { return p.scratchOffset + index * p.headDim; }

/// Waits for one head's raw q, k or v among `heads` (tagged words of [rows of q, k and v]), adds bias, applies q/k norm
/// and RoPE, and leaves it in shared memory. Whole-wave.
DEV void stageHead(Arguments &all, Worker &w, u32 layer, u32 lane, u64 heads, u32 row, u32 position, u32 vector,
                   bool isKey, bool rotate, float scale) {
    Arguments &p = *refresh(&all);
    const u32 rowsOfLane = p.laneHeads + 2 * p.laneKvHeads;
    GLOBAL const u64 *words = global<const u64>(heads) + row * p.headDim;
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
            out[index] = a[0];
            out[index + 1] = b[0];
        }
    }
    waveSync();
    if (!rotate) {
        return;
    }
    const bool norm = p.hasQkNorm != 0;
    const float inverse =
        norm ? inverseSquareRoot(waveSum(squares) / static_cast<float>(p.headDim) + p.normEpsilon) : 1.0f;
    GLOBAL const float *gamma = global<const float>(p.qkNorm) + (layer * 2 + (isKey ? 1 : 0)) * p.headDim;
    GLOBAL const float *angles = global<const float>(p.rope) + position * p.headDim;
    const u32 half = p.headDim >> 1;
    for (u32 i = w.lane; i < half; i += waveLanes) { // each rotation pair is one lane's alone
        const u32 first = p.ropeHalves != 0 ? i : 2 * i, second = p.ropeHalves != 0 ? i + half : 2 * i + 1;
        const float a = out[first] * inverse * (norm ? gamma[first] : 1.0f);
        const float b = out[second] * inverse * (norm ? gamma[second] : 1.0f);
        const float c = angles[2 * i], s = angles[2 * i + 1];
        out[first] = (a * c - b * s) * scale;
        out[second] = (b * c + a * s) * scale;
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

constexpr u32 valueVectors = waveLanes / 4; ///< 16-byte words of a block for one element: four positions each

/// The block's values for this lane's elements j .. j + valueGroup - 1.
DEV void loadValues(Arguments &p, const Worker &w, GLOBAL const float *values, u32 first, u32 j,
                    f32x4 (&v)[valueGroup][valueVectors]) {
#pragma unroll
    for (u32 g = 0; g < valueGroup; g++) {
        const u32 element = minimum(w.lane + (j + g) * waveLanes, p.headDim - 1);
        GLOBAL const float *value = values + (static_cast<u64>(first >> 2) * p.headDim + element) * 4;
#pragma unroll
        for (u32 i = 0; i < valueVectors; i++) {
            v[g][i] = cacheLoad(value + i * p.headDim * 4);
        }
    }
}

/// One block of waveLanes cached positions, of which [begin, end) are seen. All keys are asked for at once, then,
/// before the scores are done, the first values: two trips to memory.
template <u32 queries, u32 elements>
DEV void attendBlock(Arguments &all, const Worker &w, GLOBAL const float *keys, GLOBAL const float *values, u32 query,
                     u32 block, u32 begin, u32 end, Softmax<queries, elements> &state) {
    Arguments &p = *refresh(&all);
    const u32 first = block * waveLanes, position = first + w.lane;
    const bool seen = position >= begin && position < end;
    float scores[queries] = {};
    GLOBAL const float *key =
        keys + (static_cast<u64>(first / keyBlock) * (p.headDim >> 2) * keyBlock + position % keyBlock) * 4;
    const u32 parts = p.headDim >> 2;
    for (u32 base = 0; base < parts; base += keyBatch) {
        f32x4 k[keyBatch];
#pragma unroll
        for (u32 i = 0; i < keyBatch; i++) {
            k[i] = cacheLoad(key + minimum(base + i, parts - 1) * (keyBlock * 4));
        }
#pragma unroll
        for (u32 i = 0; i < keyBatch; i++) {
            if (base + i < parts) {
#pragma unroll
                for (u32 q = 0; q < queries; q++) {
                    scores[q] = dot4(k[i], *(SHARED const f32x4 *)shared(scratchVector(p, query + q) + (base + i) * 4),
                                     scores[q]);
                }
            }
        }
    }
    f32x4 v[valueGroup][valueVectors];
    loadValues(p, w, values, first, 0, v);
    const u32 weights = p.sumsOffset + 2 * workgroupWaves + w.wave * (maxQueries * waveLanes);
#pragma unroll
    for (u32 q = 0; q < queries; q++) {
        *shared(weights + q * waveLanes + w.lane) = admit(state, q, seen ? scores[q] : -1e30f);
    }
    waveSync();
#pragma unroll
    for (u32 j = 0; j < elements; j += valueGroup) {
        if (j * waveLanes >= p.headDim) {
            continue;
        }
        if (j > 0) {
            loadValues(p, w, values, first, j, v);
        }
#pragma unroll
        for (u32 i = 0; i < valueVectors; i++) {
#pragma unroll
            for (u32 g = 0; g < valueGroup; g++) {
                f32x4 word = v[g][i];
#pragma unroll
                for (u32 n = 0; n < 4; n++) { // what lies past the end may be anything, and 0 * NaN is NaN
                    word[n] = first + 4 * i + n < end ? word[n] : 0.0f;
                }
#pragma unroll
                for (u32 q = 0; q < queries; q++) {
                    const f32x4 weight = *(SHARED const f32x4 *)shared(weights + q * waveLanes + 4 * i);
                    state.values[j + g][q] = dot4(word, weight, state.values[j + g][q]);
                }
            }
        }
    }
    waveSync();
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
        const float weight = admit(state, q, w.lane == 0 ? score : -1e30f);
        const float all = waveSum(weight);
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
    for (u32 i = threadIndex(); i < count * (p.headDim + 1); i += workgroupThreads) {
        const u32 q = i / (p.headDim + 1), word = 1 + i % (p.headDim + 1);
        float top = -1e30f, sum = 0.0f;
        for (u32 v = 0; v < workgroupWaves; v++) {
            top = larger(top, *shared(merge + (v * maxQueries + q) * width));
        }
        for (u32 v = 0; v < workgroupWaves; v++) {
            const u32 at = merge + (v * maxQueries + q) * width;
            sum += exponential2(*shared(at) - top) * *shared(at + word);
        }
        const u32 base = ((head + q) * p.chunks + chunk) * width;
        publish(out, base + word, sum, w.tag);
        if (word == 1) {
            publish(out, base, top, w.tag);
        }
    }
    barrier();
}

struct CacheHead {
    GLOBAL float *keys;
    GLOBAL float *values;
};

/// Writes the new position's key and value into the cache; released at the end of the step, read from the next one on.
DEV void writeCache(Arguments &p, const CacheHead &cache, u32 position, u32 key, u32 value) {
    for (u32 i = threadIndex(); i < p.headDim; i += workgroupThreads) {
        const u32 block = position / keyBlock * (p.headDim >> 2) + (i >> 2);
        cacheStore(cache.keys + (static_cast<u64>(block) * keyBlock + position % keyBlock) * 4 + (i & 3),
                   *shared(key + i));
        cacheStore(cache.values + (static_cast<u64>(position >> 2) * p.headDim + i) * 4 + (position & 3),
                   *shared(value + i));
    }
}

/// The KV head that this workgroup attends to and where its cache lies.
DEV CacheHead cacheHead(Arguments &p, u32 layer, u32 lane, u32 kvHead) {
    const u64 at =
        p.slot * p.slotFloats + static_cast<u64>((layer * p.lanes + lane) * p.laneKvHeads + kvHead) * p.headFloats;
    return {global<float>(p.keys) + at, global<float>(p.values) + at};
}

/// First position that a query at `position` sees.
DEV u32 firstSeen(Arguments &p, u32 layer, u32 position) {
    const bool windowed = layer < p.windowBelow || layer >= p.windowFrom;
    return windowed && position >= p.window ? position + 1 - p.window : 0;
}

/// Has the wave's first block of the cache on its way while the queries are still being computed.
DEV void prefetchCache(Arguments &p, const Worker &w, u32 layer, u32 lane, u32 position) {
    if (w.member >= p.laneKvHeads * p.chunks) {
        return;
    }
    const CacheHead cache = cacheHead(p, layer, lane, w.member / p.chunks);
    const u32 block = firstSeen(p, layer, position) / waveLanes + w.member % p.chunks + p.chunks * w.wave;
    const u32 first = block * waveLanes;
    if (first >= position) {
        return;
    }
    constexpr u32 lineFloats = 32;
    GLOBAL const float *keys =
        cache.keys + (static_cast<u64>(first / keyBlock) * (p.headDim >> 2) * keyBlock + first % keyBlock) * 4;
    for (u32 line = w.lane; line < p.headDim * waveLanes / lineFloats;
         line += waveLanes) { // waveLanes * 4 floats lie together
        const u32 part = line * lineFloats / (waveLanes * 4), inPart = line * lineFloats % (waveLanes * 4);
        prefetch(keys + part * (keyBlock * 4) + inPart);
        prefetch(cache.values + static_cast<u64>(first) * p.headDim + line * lineFloats);
    }
}

/// One workgroup's share of a token's attention: a KV head and a chunk of its cache.
struct AttentionUnit {
    u32 layer, lane, kvHead, chunk, position;
    u64 queryKeyValue; ///< tagged words of [rows of q, k and v] of this lane and token
    u64 out;           ///< as publishChunk's
};

template <u32 queries, u32 elements>
DEV void attendQueries(Arguments &all, const Worker &w, const AttentionUnit &u, u32 query, u32 count,
                       const CacheHead &cache, u32 begin) {
    Arguments &p = *refresh(&all);
    const u32 group = p.laneHeads / p.laneKvHeads; // query heads a KV head
    Softmax<queries, elements> state;
#pragma unroll
    for (u32 q = 0; q < queries; q++) {
        state.top[q] = -1e30f;
        state.sum[q] = 0.0f;
#pragma unroll
        for (u32 j = 0; j < elements; j++) {
            state.values[j][q] = 0.0f;
        }
    }
    const u32 firstBlock = begin / waveLanes, blocks = (u.position + waveLanes - 1) / waveLanes;
    for (u32 block = firstBlock + u.chunk + p.chunks * w.wave; block < blocks; block += p.chunks * workgroupWaves) {
        attendBlock(p, w, cache.keys, cache.values, query, block, begin, u.position, state);
    }
    if (u.chunk == p.chunks - 1 && w.wave == workgroupWaves - 1) {
        attendNew(p, w, query, scratchVector(p, group), scratchVector(p, group + 1), state);
    }
    publishChunk(p, w, scratchVector(p, group + 2), u.out, u.kvHead * group + query, count, u.chunk, state);
}

/// The last chunk's unit owns the new position: it attends to it.
DEV bool ownsPosition(Arguments &p, const AttentionUnit &u) { return u.chunk == p.chunks - 1; }

/// Brings the unit's queries, and its owner the new key and value, into shared memory. Ends with a barrier.
DEV void stageUnit(Arguments &p, Worker &w, const AttentionUnit &u, bool owner) {
    const u32 group = p.laneHeads / p.laneKvHeads;
    for (u32 v = w.wave; v < group + (owner ? 2 : 0); v += workgroupWaves) {
        const u32 row = v < group ? u.kvHead * group + v : p.laneHeads + (v - group) * p.laneKvHeads + u.kvHead;
        stageHead(p, w, u.layer, u.lane, u.queryKeyValue, row, u.position, scratchVector(p, v), v == group, v <= group,
                  v < group ? p.queryScale : 1.0f);
    }
    barrier();
}

/// The attention of a staged unit.
DEV void attendUnit(Arguments &p, const Worker &w, const AttentionUnit &u, const CacheHead &cache) {
    const u32 group = p.laneHeads / p.laneKvHeads, begin = firstSeen(p, u.layer, u.position);
    const u32 pass = p.headDim > 128 ? 1 : maxQueries; // wide heads: more elements a lane, so fewer queries
    for (u32 query = 0; query < group; query += pass) {
        const u32 count = minimum(pass, group - query);
        if (pass == 1) {
            attendQueries<1, maxHeadDim / waveLanes>(p, w, u, query, count, cache, begin);
        } else {
            attendQueries<maxQueries, 128 / waveLanes>(p, w, u, query, count, cache, begin);
        }
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

/// The attention phase: this workgroup's units of the step's tokens. In a decode step the owners write the cache; in a
/// prefill step it has been written, and says so token by token.
DEV void attend(Arguments &all, Worker &w, u32 layerOfStep, u32 laneOfStep, const Step &step) {
    for (u32 unit = w.member; unit < step.count * all.laneKvHeads * all.chunks; unit += all.members) {
        Arguments &p = *refresh(&all); // nothing is computed ahead of the loop: it seldom has a second turn
        renew(w);
        const u32 layer = opaque(layerOfStep), lane = opaque(laneOfStep);
        const bool prefill = opaque(step.count) > 1;
        const u32 rows = (p.laneHeads + 2 * p.laneKvHeads) * p.headDim, units = p.laneKvHeads * p.chunks;
        const u32 outWords = p.laneHeads * p.chunks * (p.headDim + 2);
        const u32 token = unit / units;
        const AttentionUnit u{layer,
                              lane,
                              unit % units / p.chunks,
                              unit % p.chunks,
                              step.position + token,
                              prefill ? prefillWords(p, p.prefillQueryKeyValue, layer, lane, token, rows)
                                      : edgeWords(p, p.queryKeyValue, layer, lane, rows),
                              prefill ? prefillWords(p, p.prefillAttention, layer, lane, token, outWords)
                                      : edgeWords(p, p.attention, layer, lane, outWords)};
        const bool owner = ownsPosition(p, u);
        stageUnit(p, w, u, owner);
        if (prefill) {
            awaitCached(p, w, layer, lane, token, u.kvHead);
        }
        const CacheHead cache = cacheHead(p, layer, lane, u.kvHead);
        attendUnit(p, w, u, cache);
        if (owner && !prefill) {
            const u32 key = p.laneHeads / p.laneKvHeads;
            writeCache(p, cache, u.position, scratchVector(p, key), scratchVector(p, key + 1));
        }
        barrier();
    }
}

} // namespace monokernel::kernel
