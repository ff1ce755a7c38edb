// Keys, values and queries as whole numbers of 13 bits with a scale for each row, multiplied twice as fast as f32: two
// products a lane, and sums that are exact. A dot product of such rows is about as good as one of f16 where elements
// are alike; where one is far above the others f16 is better, and rounding to bf16, as other products here do it, loses
// more than twice as much in both cases (attention_test).

constexpr CacheFormat cacheFormat = CacheFormat::int16;

/// Largest magnitudes: of a row of the cache or a query, and of a row of softmax weights times the values' scales.
constexpr int32_t largestElement = 4095, largestWeight = 8191;
/// Products of queries and keys whose sum fits 32 bits.
constexpr uint32_t exactDepth = 128;
static_assert(int64_t{exactDepth} * largestElement * largestElement < INT32_MAX);
static_assert(int64_t{chunkPositions} * largestWeight * largestElement < INT32_MAX);

struct CacheLine {
    using X = uint32_t; ///< a pair of elements
    static constexpr uint32_t depth = 2;
    static constexpr uint32_t mostTokens = tileTokens;
    static constexpr uint32_t askedLines = 1;
    static constexpr uint32_t blocks(uint32_t tokens) { return tokens > 0 ? panelBlocks : 0; }

    template <uint32_t Blocks, uint32_t Tokens, bool Accumulate> static void tile(PanelProduct<uint32_t> p) {
        Int sums[Blocks][Tokens] = {};
        for (uint32_t line = 0; line < p.lines; line++) {
            if (Tokens > 1 && p.asked != nullptr) {
                __builtin_prefetch(p.asked + line * size_t{64}, 0, 2);
            }
            Int pairs[Blocks];
#pragma GCC unroll 8
            for (uint32_t b = 0; b < Blocks; b++) {
                pairs[b] = (Int)_mm512_loadu_si512(p.panel + b * 64);
                if constexpr (Tokens == 1) {
                    // To the L2: what is asked for into the L1 holds up the loads. Both it and no prefetch are slower
                    // after 1,800 tokens (docs/performance.md).
                    __builtin_prefetch(p.panel + b * 64 + prefetchBytes, 0, 2);
                }
            }
#pragma GCC unroll 8
            for (uint32_t t = 0; t < Tokens; t++) {
                const __m512i value = _mm512_set1_epi32(static_cast<int>(p.x[t * p.xStride]));
#pragma GCC unroll 8
                for (uint32_t b = 0; b < Blocks; b++) {
                    sums[b][t] = (Int)_mm512_dpwssd_epi32((__m512i)sums[b][t], (__m512i)pairs[b], value);
                }
            }
            p.panel += p.lineStride;
            p.x++;
        }
        Vector out[Blocks][Tokens];
        startSums<Accumulate>(out, p.y, p.yStride);
#pragma GCC unroll 8
        for (uint32_t b = 0; b < Blocks; b++) {
#pragma GCC unroll 8
            for (uint32_t t = 0; t < Tokens; t++) {
                const Vector sum = toFloats(IntVector{{sums[b][t]}});
                out[b][t] = Accumulate ? out[b][t] + sum : sum;
            }
        }
        storeSums(out, p.y, p.yStride);
    }
};

/// The factor that brings the largest of `magnitudes` to `most` and its inverse; both 0 where nothing is to be seen.
/// What is not finite makes the scale so.
struct RowScale {
    float inverse, scale;
};

MK_INLINE RowScale scaleFor(IntVector magnitudes, int32_t most) {
    constexpr float smallest = 1e-30f; // most / magnitude must be finite
    const float magnitude = largestMagnitude(magnitudes);
    if (magnitude < smallest) {
        return {0.0f, 0.0f};
    }
    return {static_cast<float>(most) / magnitude, magnitude * (1.0f / static_cast<float>(most))};
}

MK_INLINE void storeWhole(Vector x, float inverse, char *out) {
    const __m512i whole = _mm512_maskz_cvtps_epi32(0xffff, (__m512)(x * broadcast(inverse)).part[0]);
    const __m256i halves = _mm512_maskz_cvtepi32_epi16(0xffff, whole);
    __builtin_memcpy(out, &halves, sizeof halves);
}

static void toCache(const float *x, uint32_t width, void *out) {
    IntVector magnitudes{};
    for (uint32_t i = 0; i < width; i += 16) {
        magnitudes = largerMagnitudes(magnitudes, load(x + i));
    }
    const RowScale row = scaleFor(magnitudes, largestElement);
    char *to = static_cast<char *>(out);
    __builtin_memcpy(to, &row.scale, sizeof row.scale);
    for (uint32_t i = 0; i < width; i += 16) {
        storeWhole(load(x + i), row.inverse, to + sizeof row.scale + i * sizeof(int16_t));
    }
}

/// Products of `count` rows of queries with a chunk's keys, without their scales.
static void scoreTile(const AttentionChunk &c, const float *queries, uint32_t count, ChunkRow *rows, Ahead ahead) {
    const uint32_t allLines = (c.headDim + 1) / 2;
    PanelProduct<uint32_t> p{reinterpret_cast<const char *>(c.keys),
                             chunkPositions * sizeof(float),
                             allLines < exactDepth / 2 ? allLines : exactDepth / 2,
                             reinterpret_cast<const uint32_t *>(queries) + 1, // behind the scale
                             c.queryStride,
                             reinterpret_cast<float *>(rows),
                             chunkPositions};
    allTokens<CacheLine, false>(p, panelBlocks, count, ahead);
    for (uint32_t first = p.lines; first < allLines; first += exactDepth / 2) {
        p.panel += p.lines * p.lineStride;
        p.x += p.lines;
        p.lines = allLines - first < exactDepth / 2 ? allLines - first : exactDepth / 2;
        allTokens<CacheLine, true>(p, panelBlocks, count);
    }
}

/// The weight of a score that is so far from the peak: scores are logarithms to the base 2 here. To 1.5e-7, as weights
/// are rounded to 13 bits; exactly 1 for 0.
MK_INLINE Vector weightOf(Vector difference) {
    constexpr int toFloor = 0x09;
    const __m512 x = (__m512)difference.part[0];
    const Vector r{{(Float)_mm512_maskz_reduce_ps(0xffff, x, toFloor)}}; // x - floor(x); 0 for minus infinity
    Vector p = broadcast(0.00186713f);
    p = fma(p, r, broadcast(0.009017031f));
    p = fma(p, r, broadcast(0.055799913f));
    p = fma(p, r, broadcast(0.24016444f));
    p = fma(p, r, broadcast(0.6931513f));
    p = fma(p, r, broadcast(1.0f));
    return {{(Float)_mm512_maskz_scalef_ps(0xffff, (__m512)p.part[0], x)}}; // times 2^floor(x)
}

/// Products to scores.
MK_INLINE void scaleScores(const AttentionChunk &c, const float *query, ChunkRow &row) {
    const Vector scale = broadcast(*query * 1.44269504088896341f);
    for (uint32_t j = 0; j < ChunkRow::vectors; j++) {
        row.part[j] = row.part[j] * (load(c.keyScales + 16 * j) * scale);
    }
}

/// Weights as they are multiplied with values; returns what that product is to be multiplied with.
MK_INLINE float storeWeights(const AttentionChunk &c, ChunkRow row, VisibleRange range, uint32_t *out) {
    for (uint32_t j = 0; j < ChunkRow::vectors; j++) {
        row.part[j] = row.part[j] * load(c.valueScales + 16 * j);
    }
    keepVisible(row, range, 0.0f); // the scale of another position may be anything
    // No weight is negative; as unsigned numbers NaN is above all.
    Unsigned magnitudes{};
    for (const Vector &weights : row.part) {
        const auto bits = (Unsigned)weights.part[0];
        magnitudes = magnitudes > bits ? magnitudes : bits;
    }
    const RowScale scale = scaleFor(IntVector{{(Int)(magnitudes & 0x7fffffffu)}}, largestWeight);
    char *to = reinterpret_cast<char *>(out);
    for (const Vector &weights : row.part) {
        storeWhole(weights, scale.inverse, to);
        to += 16 * sizeof(int16_t);
    }
    return scale.scale;
}
