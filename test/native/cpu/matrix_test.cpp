// The kernels' matrix products over packed panels of every format: against sums in double precision, against the
// portable kernels bit by bit, and one token against many.

#include "check.h"
#include "exec/cpu/cpu_features.h"
#include "exec/cpu/panel_packing.h"
#include "rounding.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace monokernel;
using namespace monokernel::cpu;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

uint32_t padded(uint32_t depth) { return static_cast<uint32_t>(roundUp(depth, blockRows)); }

/// Rows of weights in one panel, some of its rows left out, and rows of activations.
struct Operands {
    WeightFormat format;
    uint32_t blocks, depth, tokens;
    std::vector<float> weights; ///< [blocks * 16, depth]
    std::vector<float> x;       ///< [tokens, padded(depth)]
    std::vector<std::byte> panel;

    uint32_t rows() const { return blocks * blockRows; }
    float weight(uint32_t row, uint32_t k) const { return panelElement(format, blocks, aligned(), row, k); }
    std::byte *aligned() const {
        return reinterpret_cast<std::byte *>(roundUp(reinterpret_cast<uintptr_t>(panel.data()), 64));
    }
};

void pack(Operands &o) {
    const TensorView tensor{DataType::f32, {o.rows(), o.depth}, std::as_bytes(std::span(o.weights))};
    PanelSource source;
    for (uint32_t r = 0; r < o.rows(); r++) {
        source[r] = {&tensor, r};
    }
    o.panel.resize(panelBytes(o.format, o.blocks, o.depth) + 64);
    packPanel(o.format, o.blocks, o.depth, source, o.aligned());
}

/// Values of sizes that differ from group to group, and some groups of zeros.
Operands randomOperands(std::mt19937 &random, WeightFormat format, uint32_t blocks, uint32_t depth, uint32_t tokens) {
    std::normal_distribution<float> normal;
    Operands o{format, blocks, depth, tokens, {}, {}, {}};
    o.weights.resize(size_t{o.rows()} * depth);
    o.x.resize(size_t{tokens} * padded(depth));
    const auto fill = [&](float *out, uint32_t count) {
        float size = 1.0f;
        for (uint32_t k = 0; k < count; k++) {
            if (k % groupDepth == 0) {
                size = random() % 8 == 0 ? 0.0f : std::exp2(static_cast<float>(random() % 20) - 10.0f);
            }
            out[k] = size * normal(random);
        }
    };
    for (uint32_t r = 0; r < o.rows(); r++) {
        fill(o.weights.data() + size_t{r} * depth, depth);
    }
    for (uint32_t t = 0; t < tokens; t++) {
        fill(o.x.data() + size_t{t} * padded(depth), depth);
    }
    pack(o);
    return o;
}

/// y[tokens, rows] by the kernels of `set`, `atOnce` tokens a call, whose rows are prepared in two parts; every second
/// token or call asks for weights ahead.
std::vector<float> product(const InstructionSet &set, const Operands &o, uint32_t atOnce) {
    const size_t xStride = padded(o.depth);
    std::vector<float> y(size_t{o.tokens} * o.rows(), -7.0f);
    std::vector<std::byte> rows(size_t{o.tokens} * operandStride(o.depth));
    alignas(64) static float scratch[panelRows * expandedDepth];
    for (uint32_t t = 0; t < o.tokens; t += atOnce) {
        const uint32_t count = std::min(atOnce, o.tokens - t);
        const auto prepare = [&](uint32_t begin, uint32_t end) {
            return set.kernels->prepare(o.format, o.depth, o.x.data() + t * xStride, xStride, begin, end, rows.data());
        };
        prepare(count / 2, count);
        const Operand x = prepare(0, count / 2);
        set.kernels->multiply({o.format, o.blocks, o.depth, count, o.aligned(), x, y.data() + size_t{t} * o.rows(),
                               o.rows(), scratch, t / atOnce % 2 == 1});
    }
    return y;
}

/// What int8 makes of a row of activations.
std::vector<double> quantized(const float *x, uint32_t depth) {
    std::vector<double> out(depth);
    for (uint32_t first = 0; first < depth; first += runDepth) {
        const uint32_t end = std::min(first + runDepth, depth);
        float largest = 0.0f;
        for (uint32_t k = first; k < end; k++) {
            largest = std::max(largest, std::abs(x[k]));
        }
        for (uint32_t k = first; k < end && largest > 0.0f; k++) {
            out[k] = std::nearbyint(x[k] * (127.0f / largest)) * static_cast<double>(largest * (1.0f / 127.0f));
        }
    }
    return out;
}

/// Checks `y` against sums in double precision; `rounding` is what each product may be off.
void checkSums(const Operands &o, const std::vector<float> &y, double rounding, const std::string &label) {
    for (uint32_t t = 0; t < o.tokens; t++) {
        const float *row = o.x.data() + size_t{t} * padded(o.depth);
        const std::vector<double> x =
            o.format == WeightFormat::int8 ? quantized(row, o.depth) : std::vector<double>(row, row + o.depth);
        for (uint32_t r = 0; r < o.rows(); r++) {
            double sum = 0.0, size = 0.0;
            for (uint32_t k = 0; k < o.depth; k++) {
                const double term = static_cast<double>(o.weight(r, k)) * x[k];
                sum += term;
                size += std::abs(term);
            }
            const double difference = std::abs(static_cast<double>(y[size_t{t} * o.rows() + r]) - sum);
            if (!CHECK_MESSAGE(difference <= rounding * size + 1e-30, label + " token " + std::to_string(t) + " row " +
                                                                          std::to_string(r) + " differs by " +
                                                                          std::to_string(difference / size))) {
                return;
            }
        }
    }
}

bool sameBits(const std::vector<float> &a, const std::vector<float> &b) {
    return std::ranges::equal(
        a, b, [](float x, float y) { return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y); });
}

const InstructionSet &portableSet() { return findInstructionSet("portable"); }

constexpr uint32_t oddDepths[] = {1,  2,  15, 16, 17,  31,  32,  33,  47,  48,  63,  64,
                                  65, 95, 96, 97, 127, 128, 129, 192, 383, 384, 385, 800};

} // namespace

TEST(quantizedWeightsAreNear) {
    std::mt19937 random(1);
    for (const uint32_t depth : oddDepths) {
        const Operands o = randomOperands(random, WeightFormat::int8, 1 + depth % panelBlocks, depth, 1);
        for (uint32_t r = 0; r < o.rows(); r++) {
            for (uint32_t first = 0; first < depth; first += groupDepth) {
                const float *group = o.weights.data() + size_t{r} * depth + first;
                const uint32_t count = std::min(groupDepth, depth - first);
                float largest = 0.0f;
                for (uint32_t k = 0; k < count; k++) {
                    largest = std::max(largest, std::abs(group[k]));
                }
                // Half a step of largest / 127, which rounding up to bf16 makes wider by at most 2^-7.
                const float bound = largest / 127.0f * (1.0f + 0x1p-7f) * 0.5001f;
                for (uint32_t k = 0; k < count; k++) {
                    CHECK(std::abs(o.weight(r, first + k) - group[k]) <= bound);
                }
            }
        }
    }
}

/// Embedding rows are read a group at a time.
TEST(rowsOfPanelsAreTheirElements) {
    std::mt19937 random(6);
    for (const WeightFormat format : {WeightFormat::f32, WeightFormat::int8}) {
        for (const uint32_t depth : oddDepths) {
            const Operands o = randomOperands(random, format, 1 + depth % panelBlocks, depth, 1);
            std::vector<float> row(depth);
            for (uint32_t r = 0; r < o.rows(); r++) {
                readPanelRow(format, o.blocks, o.aligned(), r, row);
                for (uint32_t k = 0; k < depth; k++) {
                    CHECK(row[k] == o.weight(r, k));
                }
            }
        }
    }
}

TEST(int8ProductsAreExactOnEveryPath) {
    std::mt19937 random(2);
    for (const uint32_t depth : oddDepths) {
        for (uint32_t blocks = 1; blocks <= panelBlocks; blocks++) {
            const Operands o = randomOperands(random, WeightFormat::int8, blocks, depth, 1 + random() % 70);
            const std::vector<float> expected = product(portableSet(), o, o.tokens);
            checkSums(o, expected, 2e-6, "int8 portable depth " + std::to_string(depth));
            for (const InstructionSet &set : instructionSets()) {
                for (const uint32_t atOnce : {1u, 2u, 3u, 5u, 14u, 20u}) {
                    CHECK_MESSAGE(sameBits(product(set, o, atOnce), expected),
                                  std::string(set.name) + " depth " + std::to_string(depth) + " blocks " +
                                      std::to_string(blocks) + " at once " + std::to_string(atOnce));
                }
            }
        }
    }
}

/// The largest magnitudes everywhere: what would saturate if anything did.
TEST(int8LargestValuesDoNotSaturate) {
    for (const float sign : {1.0f, -1.0f}) {
        Operands o{WeightFormat::int8, panelBlocks, 96, 12, {}, {}, {}};
        o.weights.assign(size_t{o.rows()} * o.depth, sign);
        o.x.assign(size_t{o.tokens} * padded(o.depth), -3.0f);
        pack(o);
        for (const InstructionSet &set : instructionSets()) {
            const std::vector<float> y = product(set, o, o.tokens);
            checkSums(o, y, 2e-6, std::string(set.name));
            CHECK_MESSAGE(std::abs(y[0] + sign * 288.0f) < 288.0f * 0.01f, std::string(set.name));
        }
    }
}

TEST(int8NotFiniteValuesStayVisible) {
    std::mt19937 random(3);
    for (const float bad : {infinity, -infinity, std::nanf("")}) {
        Operands badX = randomOperands(random, WeightFormat::int8, 2, 70, 12);
        badX.x[padded(70) + 40] = bad;
        Operands badWeight = randomOperands(random, WeightFormat::int8, 2, 70, 12);
        badWeight.weights[5 * 70 + 66] = bad;
        pack(badWeight);
        for (const InstructionSet &set : instructionSets()) {
            const std::vector<float> y = product(set, badX, 12);
            CHECK(std::isfinite(y[0]) && std::isfinite(y[2 * badX.rows()]));
            for (uint32_t r = 0; r < badX.rows(); r++) {
                CHECK_MESSAGE(!std::isfinite(y[badX.rows() + r]), std::string(set.name));
            }
            const std::vector<float> z = product(set, badWeight, 12);
            CHECK_MESSAGE(!std::isfinite(z[5]) && std::isfinite(z[4]), std::string(set.name));
        }
    }
}

TEST(f32ProductsOnEveryPath) {
    std::mt19937 random(4);
    for (const uint32_t depth : oddDepths) {
        const Operands o = randomOperands(random, WeightFormat::f32, 1 + depth % panelBlocks, depth, 1 + random() % 14);
        for (const InstructionSet &set : instructionSets()) {
            const std::vector<float> y = product(set, o, o.tokens);
            checkSums(o, y, 1e-5, "f32 " + std::string(set.name) + " depth " + std::to_string(depth));
            CHECK_MESSAGE(sameBits(product(set, o, 1), y), std::string(set.name));
        }
    }
}

/// Weights of bf16, with activations of f32 or rounded to bf16: 8 bits, so 2^-8 of each product.
TEST(bf16ProductsOnEveryPath) {
    std::mt19937 random(5);
    for (const uint32_t depth : oddDepths) {
        Operands o = randomOperands(random, WeightFormat::bf16, 1 + depth % panelBlocks, depth, 1 + random() % 70);
        std::vector<uint16_t> halves(o.weights.size());
        std::ranges::transform(o.weights, halves.begin(),
                               [](float value) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16); });
        const TensorView tensor{DataType::bf16, {o.rows(), depth}, std::as_bytes(std::span(halves))};
        PanelSource source;
        for (uint32_t r = 0; r < o.rows(); r++) {
            source[r] = {&tensor, r};
        }
        packPanel(o.format, o.blocks, depth, source, o.aligned());
        for (const InstructionSet &set : instructionSets()) {
            const bool rounds = roundsActivations(set.name);
            const std::vector<float> y = product(set, o, o.tokens);
            checkSums(o, y, rounds ? 0x1p-8 + 1e-5 : 1e-5, "bf16 " + std::string(set.name));
            for (const uint32_t atOnce : {1u, 4u, 7u, 16u, 19u}) {
                CHECK_MESSAGE(sameBits(product(set, o, atOnce), y), std::string(set.name) + " depth " +
                                                                        std::to_string(depth) + " at once " +
                                                                        std::to_string(atOnce));
            }
        }
    }
}
