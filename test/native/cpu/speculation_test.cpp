// Speculation changes nothing but the time: the same tokens and log-probabilities to the bit, the same ends and the
// same cache as plain decoding, on text that repeats itself (drafts are right) and that does not (drafts are wrong), by
// all models, instruction sets and worker counts.

#include "check.h"
#include "golden_file.h"
#include "random_model.h"
#include "speculation_cases.h"

#include <algorithm>

using namespace monokernel;

namespace {

const std::filesystem::path nano = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";

/// Prompts whose 2-grams repeat often, and one where they hardly do.
std::vector<std::vector<int32_t>> promptsOf(std::mt19937 &random, uint32_t vocabulary) {
    return {repeated(randomTokens(random, 7, vocabulary), 60), repeated(randomTokens(random, 1, vocabulary), 20),
            randomTokens(random, 80, 4), randomTokens(random, 70, vocabulary)};
}

void checkFolder(const std::filesystem::path &folder, const std::vector<std::string> &sets,
                 const std::vector<uint32_t> &threadCounts, uint32_t newTokens, Drafts &drafts,
                 const std::string &label) {
    const uint32_t vocabulary = Model::open(folder).spec().vocabularySize;
    for (const bool int8 : {false, true}) {
        for (const std::string &set : sets) {
            for (const uint32_t threads : threadCounts) {
                const auto executor = golden::load(
                    folder, {.threads = threads, .slots = 1, .instructionSet = set, .int8 = int8, .draftAlways = true});
                std::mt19937 random(threads);
                for (const std::vector<int32_t> &prompt : promptsOf(random, vocabulary)) {
                    const uint32_t room = executor->contextLength();
                    const std::vector<int32_t> fitting(prompt.begin(),
                                                       prompt.begin() + std::min<uint32_t>(room, prompt.size()));
                    compare(*executor, golden::greedyJob(fitting, newTokens),
                            label + " " + set + (int8 ? " int8 " : " as stored ") + std::to_string(threads) +
                                " threads",
                            drafts);
                }
            }
        }
    }
}

} // namespace

TEST(goldenFoldersSpeculateToTheSameBits) {
    for (const std::string &name : golden::folderNames()) {
        Drafts drafts;
        const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
        checkFolder(folder, cpuInstructionSets(), {2}, 40, drafts, name);
        checkFolder(folder, {""}, {1, 3}, 40, drafts, name);
        CHECK_MESSAGE(drafts.accepted > 0 && drafts.accepted < drafts.drafted,
                      name + ": " + std::to_string(drafts.accepted) + " of " + std::to_string(drafts.drafted));
    }
}

TEST(randomModelsSpeculateToTheSameBits) {
    Drafts drafts;
    for (uint32_t seed = 300; seed < 308; seed++) {
        std::mt19937 random(seed);
        const draft::TemporaryFolder folder;
        randomModel(random).write(folder.path());
        checkFolder(folder.path(), {"", "portable"}, {2}, 30, drafts, "seed " + std::to_string(seed));
    }
    CHECK(drafts.accepted > 0 && drafts.accepted < drafts.drafted);
}

TEST(nanoSpeculatesToTheSameBits) {
    for (const bool always : {true, false}) {
        Drafts drafts;
        for (const bool int8 : {false, true}) {
            const auto executor = golden::load(nano, {.threads = 2, .slots = 1, .int8 = int8, .draftAlways = always});
            for (const golden::Sequence &sequence :
                 golden::readSequences(std::filesystem::path(MONOKERNEL_GOLDEN) / "nano.golden.json")) {
                compare(*executor, golden::greedyJob(sequence.prompt, 64), "nano", drafts);
            }
        }
        CHECK_MESSAGE(!always || (drafts.accepted > 50 && drafts.accepted < drafts.drafted),
                      std::to_string(drafts.accepted) + " of " + std::to_string(drafts.drafted));
    }
}
