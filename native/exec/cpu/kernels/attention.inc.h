// Attention over one chunk of 64 positions. Both products are matrix products over panels: the keys of a chunk are a
// panel of 4 blocks whose rows are positions, the values are lines whose rows are the head's elements. The running
// softmax is that of Milakov and Gimelshein (2018); chunks are always merged in ascending order.

constexpr float minusInfinity = -__builtin_inff();

/// A line of keys or values.
#if defined(__AVX512BF16__)
struct CacheLine : F16Line {
    static constexpr WeightFormat format = WeightFormat::f16;
};

static void toCache(const float *x, uint32_t width, void *out) {
    const Vector most = broadcast(65504.0f), least = broadcast(-65504.0f);
    for (uint32_t i = 0; i < width; i += 16) {
        Float v = load(x + i).part[0];
        v = v > most.part[0] ? most.part[0] : v < least.part[0] ? least.part[0] : v; // NaN stays
        const __m256i halves = _mm512_maskz_cvtps_ph(0xffff, (__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        __builtin_memcpy(static_cast<char *>(out) + size_t{i} * 2, &halves, sizeof halves);
    }
}
#else
struct CacheLine : F32Line {
    static constexpr WeightFormat format = WeightFormat::f32;
};

static void toCache(const float *x, uint32_t width, void *out) { __builtin_memcpy(out, x, width * sizeof(float)); }
#endif

/// Positions of the chunk that a token at `position` sees: [first, end) within the chunk.
struct VisibleRange {
    int32_t first, end;
};

MK_INLINE VisibleRange visibleRange(const AttentionChunk &c, uint32_t position) {
    const int32_t offset = static_cast<int32_t>(position) - static_cast<int32_t>(c.chunkStart);
    const int32_t windowFirst = c.window == 0 ? 0 : offset - static_cast<int32_t>(c.window) + 1;
    return {windowFirst < 0 ? 0 : windowFirst,
            offset + 1 < static_cast<int32_t>(chunkPositions) ? offset + 1 : static_cast<int32_t>(chunkPositions)};
}

/// Turns a row's scores into weights exp(score - maximum), 0 where the token does not look.
MK_INLINE void softmaxRow(float *scores, VisibleRange range, float *maximumOut, float *weightOut) {
    constexpr uint32_t vectors = chunkPositions / 16;
    const bool seesAll = range.first == 0 && range.end == static_cast<int32_t>(chunkPositions);
    Vector v[vectors];
    Vector most = broadcast(minusInfinity);
    for (uint32_t j = 0; j < vectors; j++) {
        const int32_t base = static_cast<int32_t>(16 * j);
        v[j] = load(scores + 16 * j);
        if (!seesAll) {
            v[j] = keepLanes(v[j], range.first - base, range.end - base, minusInfinity);
        }
        most = maximum(most, v[j]);
    }
    const float peak = horizontalMaximum(most);
    const Vector shift = broadcast(peak);
    Vector sum = broadcast(0.0f);
    for (uint32_t j = 0; j < vectors; j++) {
        v[j] = exponentialOf(v[j] - shift);
        sum = sum + v[j];
        store(scores + 16 * j, v[j]);
    }
    *maximumOut = peak;
    *weightOut = horizontalSum(sum);
}

/// What an earlier and a later partial result are multiplied by before they are added.
struct MergeFactors {
    float earlier, later;
};

/// Joins maxima and sums of weights of `count` rows, at most 8, into their `statistics` (maximum, sum), which are
/// `stride` floats apart.
MK_INLINE void mergeStatistics(float *statistics, size_t stride, const float *peaks, const float *weights,
                               uint32_t count, MergeFactors *factors) {
    float differences[16] __attribute__((aligned(64))) = {};
    for (uint32_t r = 0; r < count; r++) {
        const float oldPeak = statistics[r * stride];
        const float newPeak = oldPeak > peaks[r] ? oldPeak : peaks[r];
        differences[r] = oldPeak - newPeak;
        differences[8 + r] = peaks[r] - newPeak;
        statistics[r * stride] = newPeak;
    }
    store(differences, exponentialOf(load(differences)));
    for (uint32_t r = 0; r < count; r++) {
        factors[r] = {differences[r], differences[8 + r]};
        statistics[r * stride + 1] = weights[r] * factors[r].later + statistics[r * stride + 1] * factors[r].earlier;
    }
}

MK_INLINE void mergeValues(float *state, const float *later, uint32_t width, MergeFactors factors) {
    const Vector earlierFactor = broadcast(factors.earlier), laterFactor = broadcast(factors.later);
    for (uint32_t i = 0; i < width; i += 16) {
        store(state + i, fma(load(later + i), laterFactor, load(state + i) * earlierFactor));
    }
}

/// Rows [row, row + count), count <= tileTokens, all of which see some of the chunk.
static void attendTile(const AttentionChunk &c, uint32_t row, uint32_t count) {
    float scores[tileTokens * chunkPositions] __attribute__((aligned(64)));
    allTokens<CacheLine, false>({reinterpret_cast<const char *>(c.keys), chunkPositions * sizeof(float),
                                 (c.headDim + CacheLine::depth - 1) / CacheLine::depth, c.queries + row * c.queryStride,
                                 c.queryStride, scores, chunkPositions},
                                panelBlocks, count);

    const size_t stateWidth = attentionStateWidth(c.valueWidth);
    float *state = c.state + row * stateWidth;
    float peaks[tileTokens], sums[tileTokens];
    int32_t end = 0;
    for (uint32_t r = 0; r < count; r++) {
        const VisibleRange range = visibleRange(c, c.firstToken + (row + r) / c.rowsPerToken);
        softmaxRow(scores + r * chunkPositions, range, &peaks[r], &sums[r]);
        end = range.end > end ? range.end : end;
    }
    MergeFactors factors[tileTokens];
    mergeStatistics(state + c.valueWidth, stateWidth, peaks, sums, count, factors);

    // Lines from `end` on may hold anything. Before it, what a row does not see has weight 0 and changes no sum.
    for (uint32_t first = 0; first < c.valueWidth; first += panelRows) {
        const uint32_t width = c.valueWidth - first < panelRows ? c.valueWidth - first : panelRows;
        float values[tileTokens * panelRows] __attribute__((aligned(64)));
        allTokens<CacheLine, false>({reinterpret_cast<const char *>(c.values) + first * sizeof(float),
                                     c.valueWidth * sizeof(float),
                                     (static_cast<uint32_t>(end) + CacheLine::depth - 1) / CacheLine::depth, scores,
                                     chunkPositions, values, panelRows},
                                    width / blockRows, count);
        for (uint32_t r = 0; r < count; r++) {
            mergeValues(state + r * stateWidth + first, values + r * panelRows, width, factors[r]);
        }
    }
}

static void attendChunk(const AttentionChunk &c) {
    // Tokens ascend, so the rows that see some of the chunk are neighbours.
    uint32_t begin = 0, end = c.rows;
    while (begin < end && c.firstToken + begin / c.rowsPerToken < c.chunkStart) {
        begin++;
    }
    const auto seesNone = [&c](uint32_t row) {
        const VisibleRange range = visibleRange(c, c.firstToken + row / c.rowsPerToken);
        return range.first >= range.end;
    };
    while (begin < end && seesNone(end - 1)) {
        end--;
    }
    for (uint32_t row = begin; row < end; row += tileTokens) {
        attendTile(c, row, end - row < tileTokens ? end - row : tileTokens);
    }
}

static void mergeState(float *state, const float *later, uint32_t valueWidth) {
    MergeFactors factors;
    mergeStatistics(state + valueWidth, 0, later + valueWidth, later + valueWidth + 1, 1, &factors);
    mergeValues(state, later, valueWidth, factors);
}

static void finishState(const float *state, uint32_t valueWidth, uint32_t headDim, float *out) {
    const float weight = state[valueWidth + 1];
    for (uint32_t i = 0; i < headDim; i++) {
        out[i] = state[i] / weight;
    }
}
