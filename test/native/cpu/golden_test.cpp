#include "check.h"
#include "golden_file.h"

#include <algorithm>
#include <cmath>

using namespace monokernel;

namespace {

/// Allowed difference of a logit with f32 activations.
constexpr double tolerance = 2e-3;

/// Calls `test(executor, label)` for every instruction set of this machine with 1, 2 and 3 threads.
template <class Test> void onEveryPath(const std::filesystem::path &folder, const Test &test) {
    for (const std::string &set : cpuInstructionSets()) {
        for (const uint32_t threads : {1u, 2u, 3u}) {
            const auto executor = golden::load(folder, {.threads = threads, .slots = 2, .instructionSet = set});
            test(*executor, folder.filename().string() + " " + set + " " + std::to_string(threads) + " threads");
        }
    }
}

/// Greedy tokens must agree up to the first one whose margin the tolerance could turn over.
void checkGreedy(const std::vector<int32_t> &tokens, const std::vector<int32_t> &expected,
                 const std::vector<double> &margin, const std::string &label) {
    CHECK_MESSAGE(tokens.size() == expected.size(), label);
    for (size_t i = 0; i < std::min(tokens.size(), expected.size()) && margin[i] > 2 * tolerance; i++) {
        if (!CHECK_MESSAGE(tokens[i] == expected[i], label + " token " + std::to_string(i))) {
            return;
        }
    }
}

void checkLogits(const std::vector<float> &logits, const golden::Folder &expected, const std::string &label) {
    double worst = 0.0;
    size_t at = 0;
    for (const std::vector<double> &row : expected.logits) {
        for (const double value : row) {
            const double difference = std::abs(static_cast<double>(logits.at(at++)) - value);
            worst = difference <= worst ? worst : difference; // NaN becomes the worst
        }
    }
    CHECK_MESSAGE(at == logits.size() && worst <= tolerance, label + " differs by " + std::to_string(worst));
}

} // namespace

TEST(goldenFoldersAreThere) { CHECK(golden::folderNames().size() >= 9); }

TEST(goldenLogits) {
    for (const std::string &name : golden::folderNames()) {
        const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
        const golden::Folder expected = golden::readFolder(folder);
        onEveryPath(folder, [&](Executor &executor, const std::string &label) {
            for (const uint32_t width : {1u, 2u, 7u, 64u}) {
                checkLogits(executor.logits(1, expected.prompt, expected.positions, width), expected,
                            label + " width " + std::to_string(width));
            }
        });
    }
}

TEST(goldenGreedyTokens) {
    for (const std::string &name : golden::folderNames()) {
        const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
        const golden::Folder expected = golden::readFolder(folder);
        onEveryPath(folder, [&](Executor &executor, const std::string &label) {
            const auto count = static_cast<uint32_t>(expected.greedy.size());
            const golden::Output output = golden::runGreedy(executor, expected.prompt, count);
            checkGreedy(output.tokens, expected.greedy, expected.margin, label);
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
    for (const std::string &set : cpuInstructionSets()) {
        const auto executor = golden::load(folder, {.threads = 2, .slots = 1, .instructionSet = set});
        for (size_t s = 0; s < sequences.size(); s++) {
            const golden::Sequence &expected = sequences[s];
            const std::string label = "nano " + set + " sequence " + std::to_string(s);
            const std::vector<uint32_t> last{static_cast<uint32_t>(expected.prompt.size()) - 1};
            const std::vector<float> logits = executor->logits(0, expected.prompt, last, 64);
            for (const auto &[token, logit] : expected.firstTop) {
                CHECK_MESSAGE(std::abs(static_cast<double>(logits[static_cast<size_t>(token)]) - logit) <= tolerance,
                              label);
            }
            CHECK_MESSAGE(std::max_element(logits.begin(), logits.end()) - logits.begin() == expected.firstTop[0].first,
                          label);

            const auto count = static_cast<uint32_t>(expected.greedy.size());
            const golden::Output output = golden::runGreedy(*executor, expected.prompt, count);
            checkGreedy(output.tokens, expected.greedy, expected.margin, label);
            for (size_t i = 0; i < count && output.tokens[i] == expected.greedy[i]; i++) {
                CHECK_MESSAGE(std::abs(static_cast<double>(output.logprobs[i]) - expected.logprob[i]) <= tolerance,
                              label);
            }
        }
    }
}
