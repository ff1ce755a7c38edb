// Where drafts end: at limits of tokens, the context's end, stop tokens, unlikely tokens and cancellation, with the
// cache and all results as without them.

#include "speculation_cases.h"

#include <cmath>

using namespace monokernel;

namespace {

const std::filesystem::path llama = std::filesystem::path(MONOKERNEL_GOLDEN) / "llama";
const std::filesystem::path nano = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";

// A sanitizer makes the model some thirty times slower: there every fifth place of a draft will do.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t stride = 5;
#else
constexpr size_t stride = 1;
#endif

/// A prompt and how nano goes on, with drafts of it that are right in the middle.
struct Case {
    std::unique_ptr<Executor> executor;
    std::vector<int32_t> prompt;
    golden::Output plain;
};

Case makeCase(uint32_t contextLength) {
    Case made;
    made.executor = golden::load(nano, {.threads = 2, .slots = 3, .contextLength = contextLength, .draftAlways = true});
    std::mt19937 random(4);
    made.prompt = repeated(randomTokens(random, 6, 16384), 48);
    Drafts drafts;
    made.plain = compare(*made.executor, golden::greedyJob(made.prompt, 40), "repeating", drafts);
    CHECK_MESSAGE(drafts.accepted >= 20 || contextLength > 0, std::to_string(drafts.accepted) + " accepted");
    return made;
}

/// With the model's own context, loaded once.
const Case &repeatingCase() {
    static const Case made = makeCase(0);
    return made;
}

/// The first `length` tokens of what repeats.
std::vector<int32_t> farInto(const Case &made, size_t length) {
    std::vector<int32_t> tokens = made.prompt;
    tokens.insert(tokens.end(), made.plain.tokens.begin(), made.plain.tokens.end());
    tokens.resize(length);
    return tokens;
}

} // namespace

TEST(draftsSaveSteps) {
    const Case &made = repeatingCase();
    const golden::Output output = golden::run(*made.executor, speculative(golden::greedyJob(made.prompt, 40)));
    // 39 tokens after the first; what was accepted took no step of its own.
    CHECK(output.result.accepted >= 20 && output.result.accepted <= 39);
}

TEST(anyLimitOfTokensEndsExactlyThere) {
    const Case &made = repeatingCase();
    for (uint32_t most = 1; most <= 40; most += stride) {
        Drafts drafts;
        const golden::Output output =
            compare(*made.executor, golden::greedyJob(made.prompt, most), "limit " + std::to_string(most), drafts);
        CHECK(output.tokens.size() == most);
    }
}

TEST(noMoreIsDraftedThanIsWanted) {
    const Case &made = repeatingCase();
    const std::vector<int32_t> prompt = farInto(made, 78);
    for (uint32_t most = 1; most <= 5; most++) {
        Drafts drafts;
        compare(*made.executor, golden::greedyJob(prompt, most), "limit", drafts);
        CHECK_MESSAGE(drafts.drafted == (most < 2 ? 0 : most - 2), std::to_string(drafts.drafted) + " drafted");
    }
}

TEST(noMoreIsDraftedThanHasPlace) {
    const Case &made = repeatingCase();
    const std::vector<int32_t> prompt = farInto(made, 78);
    for (uint32_t places = 0; places < 5; places++) { // the token after the last place is given out, too
        const auto executor =
            golden::load(nano, {.threads = 2, .slots = 1, .contextLength = 78 + places, .draftAlways = true});
        Drafts drafts;
        const golden::Output output = compare(*executor, golden::greedyJob(prompt, 40), "context", drafts);
        CHECK(output.result.stop == StopReason::contextFull && output.tokens.size() == places + 1);
        CHECK_MESSAGE(drafts.drafted == (places < 1 ? 0 : places - 1), std::to_string(drafts.drafted) + " drafted");
    }
}

TEST(draftsAtTheContextsEndDoNotTouchTheNextSlot) {
    const Case &made = repeatingCase();
    const auto executor = golden::load(nano, {.threads = 2, .slots = 2, .contextLength = 64, .draftAlways = true});
    std::mt19937 random(9);
    const std::vector<int32_t> other = randomTokens(random, 30, 16384);
    const golden::Output fresh = golden::runGreedy(*executor, other, 10);
    SequenceJob job = golden::greedyJob(other, 10);
    job.slot = 1;
    golden::run(*executor, job);
    for (uint32_t length = 56; length < 64; length++) {
        const std::vector<int32_t> repeating = farInto(made, length);
        golden::run(*executor, speculative(golden::greedyJob(repeating, 30)));
    }
    job.reused = 29;
    CHECK(golden::run(*executor, job) == fresh);
}

TEST(stopTokenWithinADraftEndsExactlyThere) {
    const Case &made = repeatingCase();
    for (size_t i = 0; i < made.plain.tokens.size(); i += stride) {
        const int32_t stop = made.plain.tokens[i];
        const std::vector<int32_t> stops{stop};
        SequenceJob job = golden::greedyJob(made.prompt, 40);
        job.stopTokens = stops;
        Drafts drafts;
        compare(*made.executor, job, "stop " + std::to_string(stop), drafts);
    }
}

TEST(unlikelyTokenWithinADraftEndsExactlyThere) {
    const Case &made = repeatingCase();
    for (size_t i = 0; i < made.plain.logprobs.size(); i += stride) {
        SequenceJob job = golden::greedyJob(made.prompt, 40);
        job.minProbability = std::min(1.0f, std::exp(made.plain.logprobs[i]) * 1.001f);
        Drafts drafts;
        compare(*made.executor, job, "probability", drafts);
    }
}

TEST(cancellationWithinADraftTakesEffectAtTheNextToken) {
    const Case &made = repeatingCase();
    for (const uint32_t after : {1u, 2u, 7u, 19u, 20u, 21u, 22u, 23u}) {
        std::atomic<bool> cancel = false;
        SequenceJob job = speculative(golden::greedyJob(made.prompt, 40));
        job.cancel = &cancel;
        std::vector<int32_t> tokens;
        const SequenceResult result = made.executor->run(job, [&](GeneratedToken token) {
            tokens.push_back(token.token);
            cancel = tokens.size() == after;
        });
        CHECK(result.stop == StopReason::cancelled && result.generated == after && tokens.size() == after);
        CHECK(result.cached == made.prompt.size() + after - 1);
        CHECK(std::equal(tokens.begin(), tokens.end(), made.plain.tokens.begin()));
    }
}

TEST(contextFillsUpWithinADraft) {
    for (uint32_t context = 61; context < 65; context++) {
        const Case made = makeCase(context);
        CHECK(made.plain.result.stop == StopReason::contextFull && made.plain.result.cached == context);
    }
    const std::vector<int32_t> sevens{7, 7, 7};
    const auto tiny = golden::load(llama, {.threads = 2, .slots = 1, .contextLength = 5, .draftAlways = true});
    Drafts drafts;
    compare(*tiny, golden::greedyJob(sevens, 9), "tiny", drafts);
}

TEST(cacheIsThatOfPlainDecoding) {
    const Case &made = repeatingCase();
    for (const uint32_t first : {3u, 9u, 14u, 22u, 30u}) {
        SequenceJob job = speculative(golden::greedyJob(made.prompt, first));
        job.slot = 1;
        const golden::Output begun = golden::run(*made.executor, job);
        std::vector<int32_t> longer = made.prompt;
        longer.insert(longer.end(), begun.tokens.begin(), begun.tokens.end());
        SequenceJob rest = golden::greedyJob(longer, 40 - first);
        rest.slot = 1;
        rest.reused = begun.result.cached;
        const golden::Output ended = golden::run(*made.executor, rest);
        CHECK(std::equal(ended.tokens.begin(), ended.tokens.end(), made.plain.tokens.begin() + first));
        CHECK(std::equal(ended.logprobs.begin(), ended.logprobs.end(), made.plain.logprobs.begin() + first));
    }
}

TEST(whatItHoldsIsCounted) {
    const auto executor = golden::load(nano, {.threads = 2, .slots = 1, .contextLength = 512, .draftAlways = true});
    const std::vector<int32_t> prompt = repeated({3, 4, 5}, 200);
    const uint64_t before = executor->memoryBytes();
    golden::runGreedy(*executor, prompt, 4);
    CHECK(executor->memoryBytes() == before);
    for (const uint32_t most : {4u, UINT32_MAX}) { // by what the request may take, not by the context
        golden::run(*executor, speculative(golden::greedyJob(prompt, most)));
        const uint64_t held = executor->memoryBytes() - before, tokens = std::min(200 + uint64_t{most}, uint64_t{513});
        CHECK_MESSAGE(held >= 28 * tokens && held <= 56 * tokens, std::to_string(held) + " bytes");
    }
}

TEST(sampledRequestsAreNotDrafted) {
    const Case &made = repeatingCase();
    SequenceJob job = golden::greedyJob(made.prompt, 30);
    job.sampling = {.temperature = 0.8f, .topK = 20, .topP = 0.9f, .seed = 3};
    Drafts drafts;
    compare(*made.executor, job, "sampled", drafts);
    CHECK(drafts.drafted == 0);
}
