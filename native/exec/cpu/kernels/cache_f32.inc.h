// Keys, values and queries in f32.

constexpr CacheFormat cacheFormat = CacheFormat::f32;

using CacheLine = F32Line;

static void toCache(const float *x, uint32_t width, void *out) { __builtin_memcpy(out, x, width * sizeof(float)); }

/// Products of `count` rows of queries with a chunk's keys.
static void scoreTile(const AttentionChunk &c, const float *queries, uint32_t count, ChunkRow *rows, Ahead ahead) {
    allTokens<CacheLine, false>({reinterpret_cast<const char *>(c.keys), chunkPositions * sizeof(float), c.headDim,
                                 queries, c.queryStride, reinterpret_cast<float *>(rows), chunkPositions},
                                panelBlocks, count, ahead);
}

/// The weight of a score that is so far from the peak.
MK_INLINE Vector weightOf(Vector difference) { return exponentialOf(difference); }

MK_INLINE void scaleScores(const AttentionChunk &, const float *, ChunkRow &) {}

/// Weights as they are multiplied with values; returns what that product is to be multiplied with.
MK_INLINE float storeWeights(const AttentionChunk &, const ChunkRow &row, VisibleRange, float *out) {
    for (uint32_t j = 0; j < ChunkRow::vectors; j++) {
        store(out + 16 * j, row.part[j]);
    }
    return 1.0f;
}
