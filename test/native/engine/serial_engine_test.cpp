#include "../check.h"
#include "engine/serial_engine.h"
#include "fake_executor.h"
#include "recorded.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <thread>

using namespace monokernel;

namespace {

ModelSpec fakeSpec() {
    ModelSpec spec;
    spec.vocabularySize = FakeExecutor::vocabularySize;
    return spec;
}

/// An engine over a fake executor that the test can still see.
struct Fixture {
    FakeExecutor *executor;
    std::unique_ptr<Engine> engine;

    explicit Fixture(uint32_t slots = 2, uint32_t contextLength = 256,
                     std::function<void(uint32_t)> beforeStep = nullptr) {
        auto fake = std::make_unique<FakeExecutor>(slots, contextLength);
        fake->beforeStep = std::move(beforeStep);
        executor = fake.get();
        engine = makeSerialEngine(fakeSpec(), std::move(fake), "fake");
    }
    std::shared_ptr<Recorded> start(std::vector<int32_t> prompt, uint32_t maxTokens) {
        return Recorded::start(*engine, {.tokens = std::move(prompt), .maxTokens = maxTokens});
    }
};

std::vector<int32_t> ramp(int32_t first, size_t count) {
    std::vector<int32_t> tokens(count);
    std::iota(tokens.begin(), tokens.end(), first);
    return tokens;
}

void sleepMilliseconds(int count) { std::this_thread::sleep_for(std::chrono::milliseconds(count)); }

bool failedWith(const GenerateResult &result, GenerateFailure failure, const std::string &part) {
    if (!result.error) {
        return CHECK_MESSAGE(false, "it did not fail");
    }
    return CHECK(result.error->failure == failure) &&
           CHECK_MESSAGE(result.error->message.find(part) != std::string::npos, result.error->message);
}

} // namespace

TEST(engine_gives_tokens_in_order_then_the_end) {
    Fixture fixture;
    const auto request = fixture.start({1, 2, 3}, 20);
    const GenerateResult result = request->end();
    CHECK(!result.error);
    CHECK(result.sequence.stop == StopReason::maxTokens);
    CHECK(result.sequence.generated == 20 && result.sequence.prefilled == 3 && result.reused == 0);
    CHECK(request->tokens() == fakeContinuation({1, 2, 3}, 20));
    CHECK(request->ends() == 1);
}

TEST(engine_reuses_what_earlier_requests_left) {
    Fixture fixture;
    const auto first = fixture.start({1, 2, 3}, 10);
    CHECK(first->end().reused == 0);
    std::vector<int32_t> longer{1, 2, 3};
    const std::vector<int32_t> generated = first->tokens();
    longer.insert(longer.end(), generated.begin(), generated.end());
    longer.push_back(7);
    const auto second = fixture.start(longer, 10);
    // 3 prompt tokens and 9 generated ones were run; the tenth was only given.
    CHECK(second->end().reused == 12);
    CHECK(second->tokens() == fakeContinuation(longer, 10));
    CHECK(fixture.executor->falseReuses == 0);
}

TEST(engine_keeps_two_conversations_warm_in_two_slots) {
    Fixture fixture;
    for (int turn = 0; turn < 3; turn++) {
        const auto one = fixture.start(ramp(0, 50), 5);
        const auto two = fixture.start(ramp(100, 50), 5);
        CHECK(one->end().reused == (turn == 0 ? 0 : 49));
        CHECK(two->end().reused == (turn == 0 ? 0 : 49));
        CHECK(one->tokens() == fakeContinuation(ramp(0, 50), 5));
        CHECK(two->tokens() == fakeContinuation(ramp(100, 50), 5));
    }
    CHECK(fixture.executor->falseReuses == 0);
}

TEST(engine_cancels_a_running_request_within_one_token) {
    Fixture fixture(1, 256, [](uint32_t) { sleepMilliseconds(2); });
    const auto request = fixture.start({5, 6}, 200);
    request->waitForTokens(3);
    fixture.engine->cancel(request->id);
    const size_t atCancel = request->tokens().size();
    const GenerateResult result = request->end();
    CHECK(result.sequence.stop == StopReason::cancelled && !result.error);
    CHECK(request->tokens().size() <= atCancel + 1);
    const auto again = fixture.start({5, 6}, 20);
    again->end();
    CHECK(again->tokens() == fakeContinuation({5, 6}, 20));
    CHECK(fixture.executor->falseReuses == 0);
}

TEST(engine_reuses_exactly_what_a_cancelled_request_ran) {
    Gate gate;
    Fixture fixture(1, 256, [&](uint32_t generated) {
        if (generated == 4) {
            gate.pass();
        }
    });
    const auto request = fixture.start(ramp(0, 10), 100);
    request->waitForTokens(4);
    fixture.engine->cancel(request->id);
    gate.open();
    CHECK(request->end().sequence.cached == 14);
    std::vector<int32_t> longer = ramp(0, 10);
    const std::vector<int32_t> generated = request->tokens();
    longer.insert(longer.end(), generated.begin(), generated.end());
    longer.push_back(3);
    CHECK(fixture.start(longer, 3)->end().reused == 14);
    CHECK(fixture.executor->falseReuses == 0);
}

TEST(engine_ends_a_cancelled_waiting_request_before_its_turn) {
    Fixture fixture(1, 256, [](uint32_t) { sleepMilliseconds(1); });
    const auto running = fixture.start({1}, 250);
    const auto waiting = fixture.start({2}, 10);
    running->waitForTokens(1);
    fixture.engine->cancel(waiting->id);
    const GenerateResult result = waiting->end();
    CHECK(result.sequence.stop == StopReason::cancelled && !result.error);
    CHECK(waiting->tokens().empty());
    CHECK(running->ends() == 0);
    fixture.engine->cancel(running->id);
    running->end();
    CHECK(fixture.executor->runs == 1);
}

TEST(engine_newest_request_waits_one_token_when_all_others_are_cancelled) {
    Gate gate;
    Fixture fixture(1, 256, [&](uint32_t generated) {
        if (generated == 2) {
            gate.pass();
        }
    });
    std::vector<std::shared_ptr<Recorded>> old{fixture.start({1}, 200)};
    old.front()->waitForTokens(2);
    for (int32_t index = 0; index < 50; index++) {
        old.push_back(fixture.start({2, index}, 200));
    }
    const auto newest = fixture.start({3}, 2);
    for (const auto &request : old) {
        fixture.engine->cancel(request->id);
    }
    const uint32_t stepsAtCancel = fixture.executor->steps;
    gate.open();
    newest->end();
    CHECK(newest->tokens().size() == 2);
    CHECK(fixture.executor->steps <= stepsAtCancel + 1 + 2); // at most one of the cancelled, two of the newest
    CHECK(fixture.executor->runs == 2);
    for (const auto &request : old) {
        CHECK(request->end().sequence.stop == StopReason::cancelled);
    }
}

TEST(engine_ignores_cancelling_unknown_and_finished_requests) {
    Fixture fixture;
    fixture.engine->cancel(12345);
    const auto request = fixture.start({1}, 3);
    request->end();
    fixture.engine->cancel(request->id);
    const auto next = fixture.start({1}, 3);
    CHECK(next->end().sequence.stop == StopReason::maxTokens);
    CHECK(request->ends() == 1);
}

TEST(engine_failure_empties_its_slot_and_no_other) {
    std::atomic<bool> fail = false;
    Fixture fixture(2, 256, [&](uint32_t generated) {
        if (fail && generated == 2) {
            throw ExecutionError("waited too long for layer 3 attentionPartial");
        }
    });
    fixture.start(ramp(0, 50), 5)->end();
    fixture.start(ramp(100, 50), 5)->end();
    fail = true;
    const auto failed = fixture.start(ramp(0, 50), 5);
    failedWith(failed->end(), GenerateFailure::executionFailed, "layer 3 attentionPartial");
    CHECK(failed->tokens().size() == 2);
    fail = false;
    CHECK(fixture.start(ramp(100, 50), 5)->end().reused == 49);
    const auto retried = fixture.start(ramp(0, 50), 5);
    CHECK(retried->end().reused == 0);
    CHECK(retried->tokens() == fakeContinuation(ramp(0, 50), 5));
    CHECK(fixture.executor->falseReuses == 0);
    CHECK(fixture.engine->statistics().failed == 1);
}

TEST(engine_survives_an_exception_of_any_type) {
    std::atomic<bool> fail = true;
    Fixture fixture(1, 256, [&](uint32_t) {
        if (fail.exchange(false)) {
            throw 17; // NOLINT(hicpp-exception-baseclass): that is the point
        }
    });
    failedWith(fixture.start({1}, 3)->end(), GenerateFailure::executionFailed, "without saying why");
    CHECK(!fixture.start({1}, 3)->end().error);
}

TEST(engine_refuses_impossible_requests_without_running_them) {
    Fixture fixture(1, 16);
    const auto ask = [&](GenerateRequest request, const std::string &part) {
        const auto started = Recorded::start(*fixture.engine, std::move(request));
        failedWith(started->end(), GenerateFailure::requestInvalid, part);
        CHECK(started->ends() == 1);
    };
    const float nan = std::numeric_limits<float>::quiet_NaN();
    ask({.tokens = {}}, "empty");
    ask({.tokens = {1, 1000}}, "prompt token 1 is 1000");
    ask({.tokens = {-1}}, "prompt token 0 is -1");
    ask({.tokens = ramp(0, 17)}, "17 tokens");
    ask({.tokens = {1}, .sampling = {.temperature = -1.0f}}, "temperature");
    ask({.tokens = {1}, .sampling = {.temperature = nan}}, "temperature");
    ask({.tokens = {1}, .sampling = {.topP = 0.0f}}, "topP");
    ask({.tokens = {1}, .sampling = {.topP = nan}}, "topP");
    ask({.tokens = {1}, .minProbability = 1.5f}, "minProbability");
    ask({.tokens = {1}, .minProbability = nan}, "minProbability");
    CHECK(fixture.executor->runs == 0);
    const GenerateResult full = fixture.start(ramp(0, 16), 5)->end();
    CHECK(!full.error && full.sequence.stop == StopReason::contextFull);
}

TEST(engine_with_no_tokens_to_generate_warms_the_prefix) {
    Fixture fixture;
    const auto warm = fixture.start(ramp(0, 40), 0);
    CHECK(warm->end().sequence.prefilled == 40 && warm->tokens().empty());
    CHECK(fixture.start(ramp(0, 41), 1)->end().reused == 40);
}

TEST(engine_counts_what_it_did) {
    Fixture fixture(2);
    fixture.start(ramp(0, 30), 5)->end();
    fixture.start(ramp(0, 30), 5)->end();
    fixture.start({}, 5)->end();
    const EngineStatistics statistics = fixture.engine->statistics();
    CHECK(statistics.requests == 3 && statistics.failed == 1 && statistics.cancelled == 0);
    CHECK(statistics.prefilledTokens == 31 && statistics.reusedTokens == 29 && statistics.generatedTokens == 10);
    CHECK(statistics.memoryBytes == 4096);
}

TEST(engine_destroyed_while_busy_ends_every_request_once) {
    std::vector<std::shared_ptr<Recorded>> requests;
    {
        Fixture fixture(1, 256, [](uint32_t) { sleepMilliseconds(1); });
        for (int32_t index = 0; index < 10; index++) {
            requests.push_back(fixture.start({index}, 250));
        }
        requests.front()->waitForTokens(1);
        fixture.engine->cancel(requests.back()->id);
    }
    for (const auto &request : requests) {
        CHECK(request->ends() == 1);
    }
    CHECK(requests.front()->end().sequence.stop == StopReason::cancelled && !requests.front()->end().error);
    CHECK(requests.back()->end().sequence.stop == StopReason::cancelled && !requests.back()->end().error);
    failedWith(requests[5]->end(), GenerateFailure::engineClosed, "closed");
}

TEST(engine_can_be_asked_from_its_own_callbacks) {
    Fixture fixture;
    Gate done;
    std::vector<int32_t> tokens;
    fixture.engine->generate(
        {.tokens = {1}, .maxTokens = 2}, [](GeneratedToken) {},
        [&](const GenerateResult &) {
            fixture.engine->generate(
                {.tokens = {2}, .maxTokens = 2}, [&](GeneratedToken token) { tokens.push_back(token.token); },
                [&](const GenerateResult &) { done.open(); });
        });
    done.pass();
    CHECK(tokens == fakeContinuation({2}, 2));
}

TEST(engines_side_by_side_do_not_meet) {
    Fixture one(1), two(1);
    std::vector<std::shared_ptr<Recorded>> ones, twos;
    for (int32_t index = 0; index < 30; index++) {
        ones.push_back(one.start({1, index}, 20));
        twos.push_back(two.start({2, index}, 20));
    }
    for (int32_t index = 0; index < 30; index++) {
        ones[index]->end();
        twos[index]->end();
        CHECK(ones[index]->tokens() == fakeContinuation({1, index}, 20));
        CHECK(twos[index]->tokens() == fakeContinuation({2, index}, 20));
    }
}

TEST(engine_serves_many_threads) {
    constexpr uint32_t threadCount = 4, perThread = 100;
    Fixture fixture(3);
    std::atomic<uint32_t> wrong = 0, finished = 0;
    const auto client = [&](uint32_t seed) {
        std::mt19937 random(seed);
        for (uint32_t index = 0; index < perThread; index++) {
            const std::vector<int32_t> prompt = ramp(static_cast<int32_t>(random() % 4) * 50, 1 + random() % 60);
            const auto request = fixture.start(prompt, 1 + random() % 30);
            const bool cancel = random() % 3 == 0;
            if (cancel) {
                fixture.engine->cancel(request->id);
            }
            const GenerateResult result = request->end();
            const std::vector<int32_t> tokens = request->tokens();
            const bool right = !result.error && request->ends() == 1 && result.sequence.generated == tokens.size() &&
                               tokens == fakeContinuation(prompt, static_cast<uint32_t>(tokens.size())) &&
                               (cancel || result.sequence.stop == StopReason::maxTokens);
            wrong += right ? 0 : 1;
            finished++;
            fixture.engine->statistics();
        }
    };
    std::vector<std::thread> clients;
    clients.reserve(threadCount);
    for (uint32_t seed = 0; seed < threadCount; seed++) {
        clients.emplace_back(client, seed);
    }
    for (std::thread &thread : clients) {
        thread.join();
    }
    CHECK(finished == threadCount * perThread);
    CHECK(wrong == 0);
    CHECK(fixture.executor->falseReuses == 0);
    CHECK(fixture.engine->statistics().requests == uint64_t{threadCount} * perThread);
}
