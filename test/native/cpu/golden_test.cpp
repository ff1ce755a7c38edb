#include "check.h"
#include "golden_file.h"
#include "rounding.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

using namespace monokernel;

namespace {

/// One way to compute: an instruction set and a precision.
struct Arithmetic {
    std::string set;
    bool int8;

    std::string name() const { return set + (int8 ? " int8" : ""); }
    CpuOptions options(uint32_t threads) const {
        return {.threads = threads, .slots = 2, .instructionSet = set, .int8 = int8};
    }

    /// Allowed difference of a logit, where logits have this standard deviation. f32: what its rounding explains.
    /// Activations rounded to bf16: 3 %.
    /// int8: rounding to whole steps of largest / 127 in groups of 32 weights and runs of 128 activations, whose
    /// largest is about 2.4 and 2.8 standard deviations of normal values, makes errors of 2.4 / 127 / sqrt(12) = 0.53 %
    /// in weights and 0.64 % in activations, 0.83 % in a product. Products follow each other in the residual stream,
    /// two in the attention and two in the FFN of 3 or 4 layers and the head, and their errors add up like independent
    /// ones: 0.83 % * sqrt(17) = 3.4 % of the standard deviation, of which the worst of some thousand logits has 3.5:
    /// 12 %. A weak tie in the softmax can double it.
    double tolerance(double deviation) const {
        return int8 ? 0.24 * deviation : roundsActivations(set) ? std::max(2e-3, 0.03 * deviation) : 2e-3;
    }
};

std::vector<Arithmetic> arithmetics() {
    std::vector<Arithmetic> all;
    for (const std::string &set : cpuInstructionSets()) {
        all.push_back({set, false});
        all.push_back({set, true});
    }
    return all;
}

double deviationOf(const std::vector<double> &values) {
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    double squares = 0.0;
    for (const double value : values) {
        squares += (value - mean) * (value - mean);
    }
    return std::sqrt(squares / static_cast<double>(values.size()));
}

/// The mean over positions.
double deviationOf(const golden::Folder &folder) {
    double sum = 0.0;
    for (const std::vector<double> &row : folder.logits) {
        sum += deviationOf(row);
    }
    return sum / static_cast<double>(folder.logits.size());
}

/// Sanitizers make everything ten times as slow: then one thread count, and nano in two arithmetics only.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t nanoArithmetics = 2;
const std::vector<uint32_t> threadCounts{2};
#else
constexpr size_t nanoArithmetics = SIZE_MAX;
const std::vector<uint32_t> threadCounts{1, 2, 3};
#endif

/// Calls `test(executor, tolerance, label)` for every arithmetic of this machine with several thread counts.
template <class Test>
void onEveryPath(const std::filesystem::path &folder, const golden::Folder &expected, const Test &test) {
    const double deviation = deviationOf(expected);
    for (const Arithmetic &arithmetic : arithmetics()) {
        for (const uint32_t threads : threadCounts) {
            const auto executor = golden::load(folder, arithmetic.options(threads));
            test(*executor, arithmetic.tolerance(deviation),
                 folder.filename().string() + " " + arithmetic.name() + " " + std::to_string(threads) + " threads");
        }
    }
}

/// Greedy tokens must agree up to the first one whose margin the tolerance could turn over.
void checkGreedy(const std::vector<int32_t> &tokens, const std::vector<int32_t> &expected,
                 const std::vector<double> &margin, double tolerance, const std::string &label) {
    CHECK_MESSAGE(tokens.size() == expected.size(), label);
    for (size_t i = 0; i < std::min(tokens.size(), expected.size()) && margin[i] > 2 * tolerance; i++) {
        if (!CHECK_MESSAGE(tokens[i] == expected[i], label + " token " + std::to_string(i))) {
            return;
        }
    }
}

void checkLogits(const std::vector<float> &logits, const golden::Folder &expected, double tolerance,
                 const std::string &label) {
    double worst = 0.0;
    size_t at = 0;
    for (const std::vector<double> &row : expected.logits) {
        for (const double value : row) {
            const double difference = std::abs(static_cast<double>(logits.at(at++)) - value);
            worst = std::isnan(worst) || difference <= worst ? worst : difference; // NaN becomes the worst
        }
    }
    CHECK_MESSAGE(at == logits.size() && worst <= tolerance,
                  label + " differs by " + std::to_string(worst) + ", allowed " + std::to_string(tolerance));
}

} // namespace

TEST(goldenFoldersAreThere) { CHECK(golden::folderNames().size() >= 9); }

TEST(goldenLogits) {
    for (const std::string &name : golden::folderNames()) {
        const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
        const golden::Folder expected = golden::readFolder(folder);
        onEveryPath(folder, expected, [&](Executor &executor, double tolerance, const std::string &label) {
            for (const uint32_t width : {1u, 2u, 7u, 64u}) {
                checkLogits(executor.logits(1, expected.prompt, expected.positions, width), expected, tolerance,
                            label + " width " + std::to_string(width));
            }
        });
    }
}

TEST(goldenGreedyTokens) {
    for (const std::string &name : golden::folderNames()) {
        const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
        const golden::Folder expected = golden::readFolder(folder);
        onEveryPath(folder, expected, [&](Executor &executor, double tolerance, const std::string &label) {
            const auto count = static_cast<uint32_t>(expected.greedy.size());
            const golden::Output output = golden::runGreedy(executor, expected.prompt, count);
            checkGreedy(output.tokens, expected.greedy, expected.margin, tolerance, label);
            CHECK(output.result.stop == StopReason::maxTokens && output.result.generated == count);
            CHECK(output.result.prefilled == expected.prompt.size());
            CHECK(output.result.cached == expected.prompt.size() + count - 1);
        });
    }
}

TEST(nanoGolden) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";
    const auto sequences = golden::readSequences(std::filesystem::path(MONOKERNEL_GOLDEN) / "nano.golden.json");
    CHECK(sequences.size() == 8);
    std::vector<Arithmetic> all = arithmetics();
    all.resize(std::min(all.size(), nanoArithmetics));
    for (const Arithmetic &arithmetic : all) {
        const auto executor = golden::load(folder, arithmetic.options(2));
        for (size_t s = 0; s < sequences.size(); s++) {
            const golden::Sequence &expected = sequences[s];
            const std::string label = "nano " + arithmetic.name() + " sequence " + std::to_string(s);
            const std::vector<uint32_t> last{static_cast<uint32_t>(expected.prompt.size()) - 1};
            const std::vector<float> logits = executor->logits(0, expected.prompt, last, 64);
            const double tolerance = arithmetic.tolerance(deviationOf({logits.begin(), logits.end()}));
            for (const auto &[token, logit] : expected.firstTop) {
                const double difference = std::abs(static_cast<double>(logits[static_cast<size_t>(token)]) - logit);
                CHECK_MESSAGE(difference <= tolerance, label + " differs by " + std::to_string(difference));
            }
            if (expected.firstTop[0].second - expected.firstTop[1].second > 2 * tolerance) {
                const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
                CHECK_MESSAGE(best == expected.firstTop[0].first, label);
            }

            const auto count = static_cast<uint32_t>(expected.greedy.size());
            const golden::Output output = golden::runGreedy(*executor, expected.prompt, count);
            checkGreedy(output.tokens, expected.greedy, expected.margin, tolerance, label);
            for (size_t i = 0; i < count && output.tokens[i] == expected.greedy[i]; i++) {
                CHECK_MESSAGE(std::abs(static_cast<double>(output.logprobs[i]) - expected.logprob[i]) <= tolerance,
                              label);
            }
        }
    }
}
