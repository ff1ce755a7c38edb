#include "../check.h"
#include "engine/engine.h"
#include "model/model_error.h"
#include "recorded.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <random>
#include <thread>

using namespace monokernel;

// The engine over the real CPU executor and a small checkpoint.
namespace {

const std::filesystem::path modelFolder = std::filesystem::path(MONOKERNEL_GOLDEN) / "laneformer-delay2";

std::unique_ptr<Engine> loadCpu(const EngineOptions &options = {.device = Device::cpu, .threads = 2, .slots = 2}) {
    return Engine::load(modelFolder, options, nullptr);
}

std::vector<int32_t> randomPrompt(uint32_t seed, size_t count) {
    std::mt19937 random(seed);
    std::vector<int32_t> tokens(count);
    std::ranges::generate(tokens, [&] { return static_cast<int32_t>(random() % 320); });
    return tokens;
}

std::vector<int32_t> freshTokens(const std::vector<int32_t> &prompt, uint32_t maxTokens) {
    const auto engine = loadCpu();
    const auto request = Recorded::start(*engine, {.tokens = prompt, .maxTokens = maxTokens});
    request->end();
    return request->tokens();
}

struct GivenUp {};

} // namespace

TEST(load_reports_progress_and_facts) {
    std::vector<double> seen;
    const auto engine = Engine::load(modelFolder, {.device = Device::cpu, .threads = 1},
                                     [&](double fraction) { seen.push_back(fraction); });
    CHECK(std::ranges::is_sorted(seen) && !seen.empty() && seen.front() >= 0.0 && seen.back() == 1.0);
    CHECK(engine->spec().vocabularySize == 320 && engine->contextLength() == 256);
    CHECK(engine->description().find("cpu: 1 thread") != std::string::npos);
    CHECK(engine->statistics().memoryBytes > 0);
}

TEST(load_can_be_given_up_from_its_progress) {
    for (int calls = 1; calls <= 3; calls++) {
        int left = calls;
        bool gaveUp = false;
        try {
            Engine::load(modelFolder, {.device = Device::cpu, .threads = 2}, [&](double) {
                if (--left == 0) {
                    throw GivenUp{}; // NOLINT(hicpp-exception-baseclass): not an error
                }
            });
        } catch (const GivenUp &) {
            gaveUp = true;
        }
        CHECK(gaveUp || left > 0);
        CHECK(calls > 1 || gaveUp);
    }
}

TEST(load_refuses_options_that_cannot_be_met) {
    const auto refused = [](const EngineOptions &options) {
        try {
            loadCpu(options);
        } catch (const std::invalid_argument &) {
            return true;
        }
        return false;
    };
    CHECK(refused({.device = Device::cpu, .slots = 0}));
    CHECK(refused({.device = Device::cpu, .contextLength = 257}));
    CHECK(refused({.device = Device::cpu, .instructionSet = "abacus"}));
    try {
        Engine::load(modelFolder / "none", {.device = Device::cpu}, nullptr);
        CHECK(false);
    } catch (const ModelError &error) {
        CHECK(error.code() == ModelErrorCode::folderMissing);
    }
}

TEST(load_on_automatic_says_why_it_took_the_device) {
    const auto engine = loadCpu({.threads = 1, .slots = 1});
    CHECK(!engine->deviceReason().empty());
    CHECK(!Recorded::start(*engine, {.tokens = {1, 2, 3}, .maxTokens = 3})->end().error);
}

TEST(load_takes_the_precision_that_is_asked_for) {
    for (const Precision precision : {Precision::automatic, Precision::stored, Precision::int8}) {
        const auto engine = loadCpu({.device = Device::cpu, .precision = precision, .threads = 1, .slots = 1});
        const bool int8 = precision == Precision::int8;
        CHECK(engine->int8() == int8);
        CHECK((engine->description().find("int8 weights") != std::string::npos) == int8);
        CHECK(!engine->precisionReason().empty());
        CHECK(!Recorded::start(*engine, {.tokens = {1, 2, 3}, .maxTokens = 3})->end().error);
    }
}

TEST(real_requests_after_any_cancellation_equal_fresh_ones) {
    const auto engine = loadCpu();
    for (uint32_t round = 0; round < 12; round++) {
        const std::vector<int32_t> prompt = randomPrompt(round % 3, 100);
        const auto cancelled = Recorded::start(*engine, {.tokens = prompt, .maxTokens = 150});
        cancelled->waitForTokens(size_t{3} * round);
        engine->cancel(cancelled->id);
        const SequenceResult end = cancelled->end().sequence;
        std::vector<int32_t> longer = prompt;
        const std::vector<int32_t> generated = cancelled->tokens();
        longer.insert(longer.end(), generated.begin(), generated.end());
        CHECK(end.cached <= longer.size());
        longer.resize(std::min<size_t>(longer.size(), 140));
        longer.push_back(17);
        const auto continued = Recorded::start(*engine, {.tokens = longer, .maxTokens = 20});
        CHECK(continued->end().reused == std::min<size_t>(end.cached, longer.size() - 1));
        CHECK(continued->tokens() == freshTokens(longer, 20));
    }
}

TEST(real_requests_fill_the_context_to_its_end) {
    const auto engine = loadCpu();
    const auto full = Recorded::start(*engine, {.tokens = randomPrompt(1, 256), .maxTokens = 10});
    const GenerateResult result = full->end();
    CHECK(!result.error && result.sequence.stop == StopReason::contextFull && full->tokens().size() == 1);
    const auto almost = Recorded::start(*engine, {.tokens = randomPrompt(2, 250), .maxTokens = 100});
    CHECK(almost->end().sequence.stop == StopReason::contextFull);
    CHECK(almost->tokens().size() == 7);
}

TEST(real_warm_up_generates_nothing_and_is_reused) {
    const auto engine = loadCpu();
    const std::vector<int32_t> prompt = randomPrompt(5, 60);
    const auto warm = Recorded::start(*engine, {.tokens = prompt, .maxTokens = 0});
    const GenerateResult result = warm->end();
    CHECK(!result.error && warm->tokens().empty() && result.sequence.generated == 0);
    const auto request = Recorded::start(*engine, {.tokens = prompt, .maxTokens = 10});
    CHECK(request->end().reused == result.sequence.cached || result.sequence.cached == prompt.size());
    CHECK(result.sequence.cached >= prompt.size() - 1);
    CHECK(request->tokens() == freshTokens(prompt, 10));
}

TEST(real_engines_side_by_side_give_what_each_gives_alone) {
    const std::vector<int32_t> expected = freshTokens(randomPrompt(9, 40), 40);
    std::vector<std::thread> threads;
    threads.reserve(3);
    std::atomic<int> right = 0;
    for (int index = 0; index < 3; index++) {
        threads.emplace_back([&] { right += freshTokens(randomPrompt(9, 40), 40) == expected ? 1 : 0; });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(right == 3);
}

TEST(real_engine_destroyed_while_busy) {
    for (int round = 0; round < 5; round++) {
        auto engine = loadCpu();
        const auto running = Recorded::start(*engine, {.tokens = randomPrompt(3, 100), .maxTokens = 150});
        const auto waiting = Recorded::start(*engine, {.tokens = randomPrompt(4, 100), .maxTokens = 150});
        if (round % 2 == 0) {
            running->waitForTokens(2);
        }
        engine.reset();
        CHECK(running->ends() == 1 && waiting->ends() == 1);
    }
}
