// The bits of every output are the same for every worker count, step width and start of the reused prefix; and on every
// instruction set that has fused multiply-add, except the one that rounds activations to bf16 and its cache to whole
// numbers.

#include "check.h"
#include "golden_file.h"
#include "random_model.h"

#include <optional>

using namespace monokernel;

namespace {

/// Instruction sets that give the same bits, as lists.
std::vector<std::vector<std::string>> alikeSets() {
    std::vector<std::string> sets = cpuInstructionSets();
    std::vector<std::vector<std::string>> lists;
#if defined(__x86_64__)
    if (std::erase(sets, "portable") > 0) { // Compiled for machines without FMA.
        lists.push_back({"portable"});
    }
#endif
    for (const char *rounding : {"amx", "avx512bf16"}) { // Their cache is of whole numbers, also between int8 products.
        if (std::erase(sets, rounding) > 0) {
            lists.push_back({rounding});
        }
    }
    if (!sets.empty()) {
        lists.push_back(sets);
    }
    return lists;
}

const char *precisionName(bool int8) { return int8 ? " int8" : " as stored"; }

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

void checkSets(const std::vector<std::string> &sets, bool int8, const std::filesystem::path &folder,
               const std::vector<int32_t> &prompt, uint32_t newTokens, const std::string &label) {
    std::optional<Everything> first;
    for (const std::string &set : sets) {
        const bool all = &set == &sets.front(); // The others differ in their kernels only.
        for (const uint32_t threads : all ? std::vector<uint32_t>{1, 2, 3, 4} : std::vector<uint32_t>{2}) {
            const auto executor =
                golden::load(folder, {.threads = threads, .slots = 1, .instructionSet = set, .int8 = int8});
            for (const uint32_t width : {1u, 2u, 7u, 13u, 64u}) {
                const Everything now = everything(*executor, prompt, width, newTokens);
                if (!first) {
                    first = now;
                }
                CHECK_MESSAGE(now == *first, label + precisionName(int8) + " " + set + " threads " +
                                                 std::to_string(threads) + " width " + std::to_string(width));
            }
        }
    }
}

void checkFolder(const std::filesystem::path &folder, const std::vector<int32_t> &prompt, uint32_t newTokens,
                 const std::string &label) {
    for (const bool int8 : {false, true}) {
        for (const std::vector<std::string> &sets : alikeSets()) {
            checkSets(sets, int8, folder, prompt, newTokens, label);
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
    for (const bool int8 : {false, true}) {
        for (const std::vector<std::string> &sets : alikeSets()) {
            std::optional<Everything> first;
            for (const std::string &set : sets) {
                for (const uint32_t threads : {1u, 2u, 3u}) {
                    const auto executor =
                        golden::load(folder, {.threads = threads, .slots = 1, .instructionSet = set, .int8 = int8});
                    const Everything now = everything(*executor, prompt, threads * 20, 12);
                    first = first.value_or(now);
                    CHECK_MESSAGE(now == *first, set + precisionName(int8) + " threads " + std::to_string(threads));
                }
            }
        }
    }
}

namespace {

void checkReuse(bool int8) {
    std::mt19937 random(6);
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";
    const auto executor = golden::load(folder, {.threads = 2, .slots = 3, .int8 = int8});
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
        CHECK_MESSAGE(again == fresh, "reused " + std::to_string(reused) + precisionName(int8));
        CHECK(again.result.prefilled == 200 - reused);
    }
}

/// Keys and values that decoding made serve a later prompt as if its prefill had made them.
void checkReuseOfGenerated(bool int8) {
    std::mt19937 random(8);
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";
    const auto executor = golden::load(folder, {.threads = 2, .slots = 2, .int8 = int8});
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

} // namespace

TEST(reusedPrefixGivesTheSameBits) { checkReuse(false); }
TEST(reusedPrefixGivesTheSameBitsInInt8) { checkReuse(true); }
TEST(generatedTokensCanBeReused) { checkReuseOfGenerated(false); }
TEST(generatedTokensCanBeReusedInInt8) { checkReuseOfGenerated(true); }
