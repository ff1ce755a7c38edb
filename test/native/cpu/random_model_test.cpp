#include "check.h"
#include "golden_file.h"
#include "random_model.h"
#include "reference_forward.h"
#include "rounding.h"

#include <cmath>

using namespace monokernel;

namespace {

/// Largest difference to the reference, as a share of 1 + the logits' size.
double worstDifference(const std::vector<float> &logits, const std::vector<std::vector<double>> &expected) {
    double worst = 0;
    size_t at = 0;
    for (const std::vector<double> &row : expected) {
        for (const double value : row) {
            const double difference = std::abs(static_cast<double>(logits.at(at++)) - value) / (1 + std::abs(value));
            worst = std::isnan(worst) || difference <= worst ? worst : difference;
        }
    }
    return at == logits.size() ? worst : INFINITY;
}

/// Activations rounded to bf16 are off by up to 2^-8 = 0.4 %, which some products after each other make more of, and
/// single logits of an odd model much more.
bool near(const std::string &set, const std::vector<float> &logits, const std::vector<std::vector<double>> &expected) {
    return roundsActivations(set) ? typicalDifference(logits, expected) < 3e-2
                                  : worstDifference(logits, expected) < 5e-4;
}

std::vector<int32_t> randomTokens(std::mt19937 &random, uint32_t count, uint32_t vocabulary) {
    std::vector<int32_t> tokens(count);
    for (int32_t &token : tokens) {
        token = static_cast<int32_t>(random() % vocabulary);
    }
    return tokens;
}

} // namespace

/// The reference itself against the independent golden files.
TEST(referenceAgreesWithGolden) {
    for (const std::string &name : golden::folderNames()) {
        const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
        const golden::Folder expected = golden::readFolder(folder);
        const auto logits = referenceForward(Model::open(folder), expected.prompt);
        for (size_t i = 0; i < expected.positions.size(); i++) {
            for (size_t v = 0; v < expected.logits[i].size(); v++) {
                CHECK_MESSAGE(std::abs(logits[expected.positions[i]][v] - expected.logits[i][v]) < 1e-4, name);
            }
        }
    }
}

TEST(randomShapes) {
    for (uint32_t seed = 0; seed < 40; seed++) {
        std::mt19937 random(seed);
        const draft::TemporaryFolder folder;
        randomModel(random).write(folder.path());
        const Model model = Model::open(folder.path());
        const std::vector<int32_t> tokens = randomTokens(random, 1 + random() % 90, model.spec().vocabularySize);
        const std::vector<std::vector<double>> expected = referenceForward(model, tokens);
        std::vector<uint32_t> positions(tokens.size());
        for (uint32_t i = 0; i < positions.size(); i++) {
            positions[i] = i;
        }
        for (const std::string &set : cpuInstructionSets()) {
            const uint32_t threads = 1 + random() % 5;
            const auto executor = golden::load(folder.path(), {.threads = threads, .slots = 2, .instructionSet = set});
            for (const uint32_t width : {1u, 3u, 64u}) {
                const std::vector<float> logits = executor->logits(1, tokens, positions, width);
                CHECK_MESSAGE(near(set, logits, expected), "seed " + std::to_string(seed) + " " + set + " threads " +
                                                               std::to_string(threads) + " width " +
                                                               std::to_string(width) + " differs by " +
                                                               std::to_string(worstDifference(logits, expected)));
            }
        }
    }
}
