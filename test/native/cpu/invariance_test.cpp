// The bits of every output are the same for every worker count, step width, start of the reused prefix and instruction
// set that has fused multiply-add.

#include "check.h"
#include "golden_file.h"
#include "random_model.h"

#include <optional>

using namespace monokernel;

namespace {

std::vector<std::string> fusedSets() {
    std::vector<std::string> sets = cpuInstructionSets();
#if defined(__x86_64__)
    std::erase(sets, "portable"); // Compiled for machines without FMA.
#endif
    return sets;
}

std::vector<int32_t> tokensOf(std::mt19937 &random, uint32_t count, uint32_t vocabulary) {
    std::vector<int32_t> tokens(count);
    for (int32_t &token : tokens) {
        token = static_cast<int32_t>(random() % vocabulary);
    }
    return tokens;
}

/// Logits at some positions, then a greedy and a sampled run: everything that must not change.
struct Everything {
    std::vector<float> logits;
    golden::Output greedy, sampled;
    bool operator==(const Everything &) const = default;
};

Everything everything(Executor &executor, const std::vector<int32_t> &prompt, uint32_t stepWidth, uint32_t newTokens) {
    Everything out;
    std::vector<uint32_t> positions;
    for (uint32_t i = 0; i < prompt.size(); i += 5) {
        positions.push_back(i);
    }
    out.logits = executor.logits(0, prompt, positions, stepWidth);
    out.greedy = golden::runGreedy(executor, prompt, newTokens);
    SequenceJob job = golden::greedyJob(prompt, newTokens);
    job.sampling = {.temperature = 0.9f, .topK = 30, .topP = 0.95f, .seed = 7};
    out.sampled = golden::run(executor, job);
    return out;
}

void checkFolder(const std::filesystem::path &folder, const std::vector<int32_t> &prompt, uint32_t newTokens,
                 const std::string &label) {
    std::optional<Everything> first;
    for (const std::string &set : fusedSets()) {
        for (const uint32_t threads : {1u, 2u, 3u, 4u}) {
            const auto executor = golden::load(folder, {.threads = threads, .slots = 1, .instructionSet = set});
            for (const uint32_t width : {1u, 2u, 7u, 13u, 64u}) {
                const Everything now = everything(*executor, prompt, width, newTokens);
                if (!first) {
                    first = now;
                }
                CHECK_MESSAGE(now == *first, label + " " + set + " threads " + std::to_string(threads) + " width " +
                                                 std::to_string(width));
            }
        }
    }
}

} // namespace

TEST(goldenFoldersGiveTheSameBits) {
    std::mt19937 random(3);
    for (const std::string &name : golden::folderNames()) {
        checkFolder(std::filesystem::path(MONOKERNEL_GOLDEN) / name, tokensOf(random, 70, 320), 12, name);
    }
}

TEST(randomModelsGiveTheSameBits) {
    for (uint32_t seed = 100; seed < 116; seed++) {
        std::mt19937 random(seed);
        const draft::TemporaryFolder folder;
        randomModel(random).write(folder.path());
        const uint32_t vocabulary = Model::open(folder.path()).spec().vocabularySize;
        checkFolder(folder.path(), tokensOf(random, 1 + random() % 150, vocabulary), 9, "seed " + std::to_string(seed));
    }
}

TEST(nanoGivesTheSameBits) {
    std::mt19937 random(5);
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";
    const std::vector<int32_t> prompt = tokensOf(random, 150, 16384);
    std::optional<Everything> first;
    for (const std::string &set : fusedSets()) {
        for (const uint32_t threads : {1u, 2u, 3u}) {
            const auto executor = golden::load(folder, {.threads = threads, .slots = 1, .instructionSet = set});
            const Everything now = everything(*executor, prompt, threads * 20, 12);
            first = first.value_or(now);
            CHECK_MESSAGE(now == *first, set + " threads " + std::to_string(threads));
        }
    }
}

TEST(reusedPrefixGivesTheSameBits) {
    std::mt19937 random(6);
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";
    const auto executor = golden::load(folder, {.threads = 2, .slots = 3});
    const std::vector<int32_t> prompt = tokensOf(random, 200, 16384);
    const golden::Output fresh = golden::runGreedy(*executor, prompt, 20);
    for (const uint32_t reused : {1u, 63u, 64u, 100u, 199u}) {
        // Another end first, so that what lies behind the prefix is stale.
        std::vector<int32_t> other(prompt.begin(), prompt.begin() + reused);
        const std::vector<int32_t> tail = tokensOf(random, 200 - reused + 30, 16384);
        other.insert(other.end(), tail.begin(), tail.end());
        SequenceJob before = golden::greedyJob(other, 5);
        before.slot = 1;
        executor->run(before, [](GeneratedToken) {});
        SequenceJob job = golden::greedyJob(prompt, 20);
        job.slot = 1;
        job.reused = reused;
        const golden::Output again = golden::run(*executor, job);
        CHECK_MESSAGE(again == fresh, "reused " + std::to_string(reused));
        CHECK(again.result.prefilled == 200 - reused);
    }
}

TEST(generatedTokensCanBeReused) {
    std::mt19937 random(8);
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";
    const auto executor = golden::load(folder, {.threads = 2, .slots = 2});
    const std::vector<int32_t> prompt = tokensOf(random, 30, 16384);
    const golden::Output whole = golden::runGreedy(*executor, prompt, 40);
    SequenceJob job = golden::greedyJob(prompt, 15);
    job.slot = 1;
    const golden::Output half = golden::run(*executor, job);
    std::vector<int32_t> longer = prompt;
    longer.insert(longer.end(), half.tokens.begin(), half.tokens.end());
    SequenceJob rest = golden::greedyJob(longer, 25);
    rest.slot = 1;
    rest.reused = half.result.cached;
    CHECK(rest.reused == longer.size() - 1);
    const golden::Output second = golden::run(*executor, rest);
    CHECK(std::equal(second.tokens.begin(), second.tokens.end(), whole.tokens.begin() + 15, whole.tokens.end()));
    CHECK(
        std::equal(second.logprobs.begin(), second.logprobs.end(), whole.logprobs.begin() + 15, whole.logprobs.end()));
}
