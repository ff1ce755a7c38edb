// Attention over one chunk of 64 positions. Both products are matrix products over panels: the keys of a chunk are a
// panel of 4 blocks whose rows are positions, the values are lines whose rows are the head's elements. How they are
// multiplied depends on the cache's format. The running
// softmax is that of Milakov and Gimelshein (2018); chunks are always merged in ascending order.

constexpr float minusInfinity = -__builtin_inff();

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

/// A row of scores, or of weights, of a chunk.
struct ChunkRow {
    static constexpr uint32_t vectors = chunkPositions / 16;
    Vector part[vectors];
};

MK_INLINE bool seesAll(VisibleRange range) {
    return range.first == 0 && range.end == static_cast<int32_t>(chunkPositions);
}

/// Elements outside of `range` become `other`.
MK_INLINE void keepVisible(ChunkRow &row, VisibleRange range, float other) {
    for (uint32_t j = 0; j < ChunkRow::vectors && !seesAll(range); j++) {
        const int32_t base = static_cast<int32_t>(16 * j);
        row.part[j] = keepLanes(row.part[j], range.first - base, range.end - base, other);
    }
}

#if defined(__AVX512BF16__)
#include "exec/cpu/kernels/cache_int16.inc.h"
#else
#include "exec/cpu/kernels/cache_f32.inc.h"
#endif

/// The largest score that the token sees; the others become minus infinity.
MK_INLINE float maskScores(ChunkRow &row, VisibleRange range) {
    keepVisible(row, range, minusInfinity);
    Vector most = broadcast(minusInfinity);
    for (const Vector &scores : row.part) {
        most = maximum(most, scores);
    }
    return horizontalMaximum(most);
}

/// Turns scores into weights, 1 for the peak's; returns their sum.
MK_INLINE float softmaxWeights(ChunkRow &row, float peak) {
    const Vector shift = broadcast(peak);
    Vector sum = broadcast(0.0f);
    for (Vector &scores : row.part) {
        scores = weightOf(scores - shift);
        sum = sum + scores;
    }
    return horizontalSum(sum);
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
    store(differences, weightOf(load(differences)));
    for (uint32_t r = 0; r < count; r++) {
        factors[r] = {differences[r], differences[8 + r]};
        statistics[r * stride + 1] = weights[r] * factors[r].later + statistics[r * stride + 1] * factors[r].earlier;
    }
}

/// Joins later * scale into the state. The product is rounded by itself, as it is where a chunk is merged later.
MK_INLINE void mergeValues(float *state, const float *later, float scale, uint32_t width, MergeFactors factors) {
    const Vector earlierFactor = broadcast(factors.earlier), laterFactor = broadcast(factors.later);
    for (uint32_t i = 0; i < width; i += 16) {
        const Vector values = load(later + i) * broadcast(scale);
        store(state + i, fma(values, laterFactor, load(state + i) * earlierFactor));
    }
}

/// Lines of a chunk's keys, and of a panel of its values.
MK_INLINE uint32_t keyLines(const AttentionChunk &c) { return (c.headDim + CacheLine::depth - 1) / CacheLine::depth; }
constexpr uint32_t valueLines = chunkPositions / CacheLine::depth;

/// What a tile's product of `lines` can ask for; and what it asks for of `ahead`, which moves on.
constexpr size_t askedBytes(uint32_t lines) { return lines * size_t{CacheLine::askedLines} * 64; }
MK_INLINE Ahead askedBy(Ahead &ahead, uint32_t lines) {
    const size_t most = askedBytes(lines);
    const Ahead part{ahead.at, most < ahead.bytes ? most : ahead.bytes};
    ahead.at += part.bytes;
    ahead.bytes -= part.bytes;
    return part;
}

/// Rows [row, row + count), count <= tileTokens, all of which see some of the chunk; asks for what is `ahead`.
static void attendTile(const AttentionChunk &c, uint32_t row, uint32_t count, Ahead ahead) {
    using X = CacheLine::X;
    const float *queries = c.queries + row * c.queryStride;
    ChunkRow rows[tileTokens];
    scoreTile(c, queries, count, rows, askedBy(ahead, keyLines(c)));

    // Step by step over all rows: within one, each step waits for the one before.
    const size_t stateWidth = attentionStateWidth(c.valueWidth);
    float *state = c.state + row * stateWidth;
    VisibleRange ranges[tileTokens];
    float peaks[tileTokens], sums[tileTokens], weightScales[tileTokens];
    int32_t end = 0;
    for (uint32_t r = 0; r < count; r++) {
        ranges[r] = visibleRange(c, c.firstToken + (row + r) / c.rowsPerToken);
        end = ranges[r].end > end ? ranges[r].end : end;
        scaleScores(c, queries + r * c.queryStride, rows[r]);
        peaks[r] = maskScores(rows[r], ranges[r]);
    }
    for (uint32_t r = 0; r < count; r++) {
        sums[r] = softmaxWeights(rows[r], peaks[r]);
    }
    X weights[tileTokens * chunkPositions] __attribute__((aligned(64)));
    for (uint32_t r = 0; r < count; r++) {
        weightScales[r] = storeWeights(c, rows[r], ranges[r], weights + r * chunkPositions);
    }
    MergeFactors factors[tileTokens];
    mergeStatistics(state + c.valueWidth, stateWidth, peaks, sums, count, factors);

    // Lines from `end` on may hold anything. Before it, what a row does not see has weight 0 and changes no sum.
    const uint32_t lines = (static_cast<uint32_t>(end) + CacheLine::depth - 1) / CacheLine::depth;
    for (uint32_t first = 0; first < c.valueWidth; first += panelRows) {
        const uint32_t width = c.valueWidth - first < panelRows ? c.valueWidth - first : panelRows;
        float values[tileTokens * panelRows] __attribute__((aligned(64)));
        allTokens<CacheLine, false>({reinterpret_cast<const char *>(c.values) + first * sizeof(float),
                                     c.valueWidth * sizeof(float), lines, weights, chunkPositions, values, panelRows},
                                    width / blockRows, count, askedBy(ahead, valueLines));
        for (uint32_t r = 0; r < count; r++) {
            mergeValues(state + r * stateWidth + first, values + r * panelRows, weightScales[r], width, factors[r]);
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
    if (begin == end) {
        return;
    }
    // One row's products ask for themselves (CacheLine).
    Ahead ahead{reinterpret_cast<const char *>(c.following), end > begin + 1 ? c.followingBytes : 0};
    const uint32_t panels = (c.valueWidth + panelRows - 1) / panelRows;
    const uint32_t tiles = (end - begin + tileTokens - 1) / tileTokens;
    size_t inTile = askedBytes(keyLines(c) + panels * valueLines);
    if (ahead.rest(tiles, inTile) == 0) { // so many tiles that each has few lines to ask for
        inTile = 0;
    }
    const size_t rest = ahead.rest(tiles, inTile);
    for (uint32_t row = begin; row < end; row += tileTokens) {
        ahead.ask(rest);
        attendTile(c, row, end - row < tileTokens ? end - row : tileTokens, {ahead.at, inTile});
        ahead.at += inTile;
    }
}

static void mergeState(float *state, const float *later, uint32_t valueWidth) {
    MergeFactors factors;
    mergeStatistics(state + valueWidth, 0, later + valueWidth, later + valueWidth + 1, 1, &factors);
    mergeValues(state, later, 1.0f, valueWidth, factors);
}

static void finishState(const float *state, uint32_t valueWidth, uint32_t headDim, float *out) {
    const float weight = state[valueWidth + 1];
    for (uint32_t i = 0; i < headDim; i++) {
        out[i] = state[i] / weight;
    }
}
