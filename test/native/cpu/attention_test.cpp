// Attention over chunks of the cache, of every instruction set, against sums in double precision of the same rows as
// its format keeps them: head sizes with and without tails, windows, and the largest whole numbers everywhere.

#include "check.h"
#include "exec/cpu/cpu_features.h"
#include "exec/cpu/kv_cache.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

using namespace monokernel;
using namespace monokernel::cpu;

namespace {

using Row = std::vector<float>;

struct Heads {
    uint32_t headDim, queriesPerKey, window;
    uint32_t firstToken, tokens; ///< of the step
    std::vector<Row> queries, keys, values;

    uint32_t width() const { return static_cast<uint32_t>(roundUp(headDim, blockRows)); }
    uint32_t positions() const { return firstToken + tokens; }
    uint32_t rows() const { return tokens * queriesPerKey; }
};

/// `element(row, d)` of each row, zero behind the head's elements.
template <class Element> std::vector<Row> rowsOf(const Heads &heads, uint32_t count, const Element &element) {
    std::vector<Row> rows(count, Row(heads.width()));
    for (uint32_t r = 0; r < count; r++) {
        for (uint32_t d = 0; d < heads.headDim; d++) {
            rows[r][d] = element(r, d);
        }
    }
    return rows;
}

Row inCache(const Kernels &kernels, const Row &row) {
    Row out(row.size());
    kernels.toCache(row.data(), static_cast<uint32_t>(row.size()), out.data());
    return out;
}

/// The row that the cache makes of `row`.
std::vector<double> kept(const Kernels &kernels, const Row &row) {
    const Row stored = inCache(kernels, row);
    if (kernels.cacheFormat == CacheFormat::f32) {
        return {stored.begin(), stored.end()};
    }
    std::vector<double> out(row.size());
    for (size_t d = 0; d < row.size(); d++) {
        int16_t whole;
        std::memcpy(&whole, reinterpret_cast<const char *>(stored.data() + 1) + d * sizeof whole, sizeof whole);
        out[d] = double{stored[0]} * whole;
    }
    return out;
}

double toBf16(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
}

double dot(const std::vector<double> &a, const std::vector<double> &b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double largest(const std::vector<double> &row) {
    double most = 0.0;
    for (const double x : row) {
        most = std::max(most, std::abs(x));
    }
    return most;
}

/// The rows' states after all chunks.
std::vector<Row> statesOf(const Kernels &kernels, const Heads &h) {
    ModelSpec spec;
    spec.layerCount = spec.kvHeadCount = 1;
    spec.headDim = h.headDim;
    KvCache cache(spec, 1, h.positions(), kernels.cacheFormat);
    for (uint32_t p = 0; p < h.positions(); p++) {
        cache.writeKey(0, 0, 0, p, inCache(kernels, h.keys[p]).data());
        cache.writeValue(0, 0, 0, p, inCache(kernels, h.values[p]).data());
    }
    Row queries, states(size_t{h.rows()} * attentionStateWidth(h.width()));
    for (uint32_t r = 0; r < h.rows(); r++) {
        const Row query = inCache(kernels, h.queries[r]);
        queries.insert(queries.end(), query.begin(), query.end());
        states[size_t{r} * attentionStateWidth(h.width()) + h.width()] = -std::numeric_limits<float>::infinity();
    }
    for (uint32_t chunk = 0; chunk * chunkPositions < h.positions(); chunk++) {
        const bool last = (chunk + 1) * chunkPositions >= h.positions();
        const std::span following = last ? std::span<const std::byte>() : cache.chunk(0, 0, 0, chunk + 1);
        kernels.attendChunk({.keys = cache.keys(0, 0, 0, chunk),
                             .values = cache.values(0, 0, 0, chunk),
                             .keyScales = cache.keyScales(0, 0, 0, chunk),
                             .valueScales = cache.valueScales(0, 0, 0, chunk),
                             .headDim = h.headDim,
                             .valueWidth = h.width(),
                             .rows = h.rows(),
                             .rowsPerToken = h.queriesPerKey,
                             .chunkStart = chunk * chunkPositions,
                             .firstToken = h.firstToken,
                             .window = h.window,
                             .queries = queries.data(),
                             .queryStride = h.width(),
                             .state = states.data(),
                             .following = following.data(),
                             .followingBytes = following.size()});
    }
    std::vector<Row> out(h.rows());
    for (uint32_t r = 0; r < h.rows(); r++) {
        const auto from = states.begin() + static_cast<ptrdiff_t>(r * attentionStateWidth(h.width()));
        out[r].assign(from, from + static_cast<ptrdiff_t>(attentionStateWidth(h.width())));
    }
    return out;
}

/// The states as heads.
std::vector<Row> attended(const Kernels &kernels, const Heads &h) {
    std::vector<Row> out(h.rows(), Row(h.headDim));
    const std::vector<Row> states = statesOf(kernels, h);
    for (uint32_t r = 0; r < h.rows(); r++) {
        kernels.finishState(states[r].data(), h.width(), h.headDim, out[r].data());
    }
    return out;
}

/// A token's positions, their scores and the largest sum of a score's absolute terms, in double precision.
struct Scores {
    uint32_t first;
    std::vector<double> scores;
    double terms = 0.0;
};

Scores scoresOf(const Kernels &kernels, const Heads &h, uint32_t row) {
    const uint32_t token = h.firstToken + row / h.queriesPerKey;
    Scores out{.first = h.window == 0 || token + 1 < h.window ? 0 : token + 1 - h.window, .scores = {}};
    const std::vector<double> query = kept(kernels, h.queries[row]);
    for (uint32_t p = out.first; p <= token; p++) {
        const std::vector<double> key = kept(kernels, h.keys[p]);
        out.scores.push_back(dot(query, key));
        double terms = 0.0;
        for (uint32_t d = 0; d < h.headDim; d++) {
            terms += std::abs(query[d] * key[d]);
        }
        out.terms = std::max(out.terms, terms);
    }
    return out;
}

/// A head in double precision, and what each element of it may be off.
struct Expected {
    std::vector<double> head, bounds;
};

/// Adds one chunk's weighted values. In int16 a weight times its value's scale is rounded to a whole number, the
/// chunk's largest to 8191, so each product is off by half a step.
void addChunk(const Kernels &kernels, const Heads &h, uint32_t first, std::span<const double> weights, Expected &out) {
    double step = 0.0;
    std::vector<double> wholes(h.headDim); // sums of the values' whole numbers
    for (uint32_t i = 0; i < weights.size(); i++) {
        const std::vector<double> value = kept(kernels, h.values[first + i]);
        const double scale = largest(value) / 4095;
        step = std::max(step, weights[i] * scale / 8191);
        for (uint32_t d = 0; d < h.headDim; d++) {
            out.head[d] += weights[i] * value[d];
            wholes[d] += scale > 0.0 ? std::abs(value[d]) / scale : 0.0;
        }
    }
    for (uint32_t d = 0; d < h.headDim; d++) {
        out.bounds[d] += kernels.cacheFormat == CacheFormat::f32 ? 0.0 : 0.501 * step * wholes[d];
    }
}

Expected expected(const Kernels &kernels, const Heads &h, uint32_t row) {
    const Scores s = scoresOf(kernels, h, row);
    const double peak = *std::ranges::max_element(s.scores);
    std::vector<double> weights(s.scores.size());
    std::ranges::transform(s.scores, weights.begin(), [&](double score) { return std::exp(score - peak); });
    Expected out{std::vector<double>(h.headDim), std::vector<double>(h.headDim)};
    double most = 0.0;
    for (uint32_t i = 0, end; i < weights.size(); i = end) {
        end = std::min(static_cast<uint32_t>(weights.size()), i + chunkPositions - (s.first + i) % chunkPositions);
        addChunk(kernels, h, s.first + i, std::span(weights).subspan(i, end - i), out);
    }
    for (uint32_t i = 0; i < weights.size(); i++) {
        most = std::max(most, largest(kept(kernels, h.values[s.first + i])));
    }
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (uint32_t d = 0; d < h.headDim; d++) {
        out.head[d] /= sum;
        out.bounds[d] = out.bounds[d] / sum + 1e-6 * (2 + s.terms) * most; // all else is f32, which scores make more of
    }
    return out;
}

void checkHeads(const Heads &h, const std::string &label) {
    for (const InstructionSet &set : instructionSets()) {
        const std::vector<Row> found = attended(*set.kernels, h);
        for (uint32_t row = 0; row < h.rows(); row++) {
            const Expected wanted = expected(*set.kernels, h, row);
            for (uint32_t d = 0; d < h.headDim; d++) {
                const double difference = std::abs(found[row][d] - wanted.head[d]);
                CHECK_MESSAGE(difference <= wanted.bounds[d],
                              std::string(set.name) + " " + label + " row " + std::to_string(row) + " element " +
                                  std::to_string(d) + " differs by " + std::to_string(difference) + ", allowed " +
                                  std::to_string(wanted.bounds[d]));
            }
        }
    }
}

constexpr uint32_t headSizes[] = {8, 16, 24, 40, 64, 80, 96, 128, 136, 192, 256, 264};

} // namespace

TEST(randomRows) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (const uint32_t headDim : headSizes) {
        for (const uint32_t window : {0u, 1u, 5u, 64u, 70u}) {
            Heads h{headDim,
                    1 + static_cast<uint32_t>(random() % 4),
                    window,
                    static_cast<uint32_t>(random() % 150),
                    1 + static_cast<uint32_t>(random() % 7),
                    {},
                    {},
                    {}};
            const auto element = [&](uint32_t, uint32_t) { return normal(random); };
            const float scale = 2.0f / std::sqrt(static_cast<float>(headDim));
            h.queries = rowsOf(h, h.rows(), [&](uint32_t, uint32_t) { return scale * normal(random); });
            h.keys = rowsOf(h, h.positions(), element);
            h.values = rowsOf(h, h.positions(), element);
            checkHeads(h, "head of " + std::to_string(headDim) + ", window " + std::to_string(window));
        }
    }
}

/// Elements all of their row's magnitude: the largest sums that whole numbers can make. First keys, and so weights, are
/// all alike, then of either sign, so that a sum that wraps around turns the weights over.
TEST(largestSums) {
    for (const uint32_t headDim : headSizes) {
        for (const float other : {1.0f, -1.0f}) {
            Heads h{headDim, 2, 0, 126, 2, {}, {}, {}};
            const auto sign = [&](uint32_t p) { return p % 2 == 0 ? 1.0f : other; };
            h.queries = rowsOf(h, h.rows(), [&](uint32_t, uint32_t) { return 1.0f / static_cast<float>(headDim); });
            h.keys = rowsOf(h, h.positions(), [&](uint32_t p, uint32_t) { return sign(p) * 3.0f; });
            h.values = rowsOf(h, h.positions(), [&](uint32_t p, uint32_t) { return sign(p) * 5.0f; });
            checkHeads(h, "largest, head of " + std::to_string(headDim));
        }
    }
}

/// Rows of very different sizes, each with one element far above the others.
TEST(rowsOfAnySize) {
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    for (const float size : {1e-35f, 1e-20f, 1e-3f, 1e3f, 1e15f}) {
        Heads h{72, 3, 0, 100, 3, {}, {}, {}};
        const auto sized = [&](uint32_t r, uint32_t d) {
            return normal(random) * size * (r % 3 == 0 ? 1e-2f : 1.0f) * (d == r % 72 ? 200.0f : 1.0f);
        };
        h.keys = rowsOf(h, h.positions(), sized);
        h.values = rowsOf(h, h.positions(), sized);
        h.queries = rowsOf(h, h.rows(), [&](uint32_t, uint32_t) { return normal(random) / (size * 600.0f); });
        checkHeads(h, "size " + std::to_string(size));
    }
}

/// Sums of weights say how good exponentials are, as nothing is rounded to whole numbers in them. One score is 0, and
/// all others are alike and below it; scores of one element are exact but for rounding to f32.
TEST(sumsOfWeights) {
    for (const InstructionSet &set : instructionSets()) {
        for (float below = 0.05f; below < 30.0f; below *= 1.07f) {
            Heads h{16, 1, 0, chunkPositions - 1, 1, {}, {}, {}};
            const auto first = [](uint32_t d, float value) { return d == 0 ? value : 0.0f; };
            h.queries = rowsOf(h, h.rows(), [&](uint32_t, uint32_t d) { return first(d, 1.0f); });
            h.keys = rowsOf(h, h.positions(), [&](uint32_t p, uint32_t d) { return first(d, p == 0 ? 0.0f : -below); });
            h.values = rowsOf(h, h.positions(), [&](uint32_t, uint32_t) { return 1.0f; });
            const double found = statesOf(*set.kernels, h)[0][h.width() + 1];
            const double wanted = 1.0 + (chunkPositions - 1) * std::exp(-double{below});
            CHECK_MESSAGE(std::abs(found - wanted) <= (1e-6 + 2e-7 * below) * wanted,
                          std::string(set.name) + ", " + std::to_string(below) + " below: " + std::to_string(found) +
                              " instead of " + std::to_string(wanted));
        }
    }
}

/// The cache loses less than half of what rounding its rows to bf16 would, also where one element is far above the
/// others.
TEST(dotProductsAreBetterThanOfBf16) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    for (const InstructionSet &set : instructionSets()) {
        for (const float outlier : {1.0f, 10.0f, 100.0f}) {
            double inCacheErrors = 0.0, bf16Errors = 0.0;
            for (uint32_t sample = 0; sample < 2000; sample++) {
                Row query(64), key(64);
                std::ranges::generate(query, [&] { return normal(random); });
                std::ranges::generate(key, [&] { return normal(random); });
                key[sample % 64] *= outlier;
                std::vector<double> roundedQuery(64), roundedKey(64);
                std::ranges::transform(query, roundedQuery.begin(), toBf16);
                std::ranges::transform(key, roundedKey.begin(), toBf16);
                const double exact = dot({query.begin(), query.end()}, {key.begin(), key.end()});
                inCacheErrors += std::pow(dot(kept(*set.kernels, query), kept(*set.kernels, key)) - exact, 2);
                bf16Errors += std::pow(dot(roundedQuery, roundedKey) - exact, 2);
            }
            CHECK_MESSAGE(2 * std::sqrt(inCacheErrors) < std::sqrt(bf16Errors),
                          std::string(set.name) + " outlier " + std::to_string(outlier));
        }
    }
}
