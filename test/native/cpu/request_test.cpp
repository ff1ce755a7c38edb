// What a request can ask for and how it ends.

#include "check.h"
#include "golden_file.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <thread>

using namespace monokernel;

namespace {

const std::filesystem::path llama = std::filesystem::path(MONOKERNEL_GOLDEN) / "llama";
const std::filesystem::path nano = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";

std::vector<int32_t> counting(uint32_t count) {
    std::vector<int32_t> tokens(count);
    for (uint32_t i = 0; i < count; i++) {
        tokens[i] = static_cast<int32_t>(i * 37 % 320);
    }
    return tokens;
}

template <class Error, class Call> bool throws(const Call &call, const std::string &part) {
    try {
        call();
    } catch (const Error &error) {
        return std::string(error.what()).find(part) != std::string::npos;
    }
    return false;
}

} // namespace

TEST(stopTokenIsNotGiven) {
    const auto executor = golden::load(llama, {.threads = 2, .slots = 1});
    const golden::Output all = golden::runGreedy(*executor, counting(20), 10);
    const auto first = std::find(all.tokens.begin(), all.tokens.end(), all.tokens[4]);
    const golden::Output stopped = golden::runUntil(*executor, counting(20), 10, {-1, all.tokens[4]});
    CHECK(stopped.result.stop == StopReason::stopToken);
    CHECK(stopped.tokens == std::vector<int32_t>(all.tokens.begin(), first));
    CHECK(stopped.result.generated == stopped.tokens.size());
    CHECK(stopped.result.cached == 20 + stopped.tokens.size());
}

TEST(promptOnly) {
    const auto executor = golden::load(llama, {.threads = 2, .slots = 1});
    const golden::Output warm = golden::runGreedy(*executor, counting(100), 0);
    CHECK(warm.result.stop == StopReason::maxTokens && warm.tokens.empty());
    CHECK(warm.result.prefilled == 100 && warm.result.cached == 100 && warm.result.generated == 0);
}

TEST(contextFillsUp) {
    const auto executor = golden::load(llama, {.threads = 2, .slots = 2, .contextLength = 50});
    CHECK(executor->contextLength() == 50 && executor->slotCount() == 2);
    const golden::Output output = golden::runGreedy(*executor, counting(45), 100);
    CHECK(output.result.stop == StopReason::contextFull);
    CHECK(output.tokens.size() == 6 && output.result.cached == 50); // the last one needs no place
    const golden::Output full = golden::runGreedy(*executor, counting(50), 100);
    CHECK(full.result.stop == StopReason::contextFull && full.tokens.size() == 1);
    const auto longer = golden::load(llama, {.threads = 1, .slots = 1, .contextLength = 64});
    CHECK(golden::runGreedy(*longer, counting(45), 6) == output);
}

TEST(unlikelyTokenStops) {
    const auto executor = golden::load(llama, {.threads = 2, .slots = 1});
    const golden::Output all = golden::runGreedy(*executor, counting(20), 24);
    const auto least = std::min_element(all.logprobs.begin(), all.logprobs.end());
    const std::vector<int32_t> prompt = counting(20);
    SequenceJob job = golden::greedyJob(prompt, 24);
    job.minProbability = std::exp(*least) * 1.001f;
    const golden::Output stopped = golden::run(*executor, job);
    CHECK(stopped.result.stop == StopReason::minProbability);
    CHECK(stopped.tokens.size() == static_cast<size_t>(least - all.logprobs.begin()));
    job.minProbability = std::exp(*least) * 0.999f;
    CHECK(golden::run(*executor, job) == all);
}

TEST(cancelBetweenTokens) {
    const auto executor = golden::load(nano, {.threads = 2, .slots = 2});
    std::atomic<bool> cancel{false};
    const std::vector<int32_t> prompt = counting(10);
    SequenceJob job = golden::greedyJob(prompt, 100000);
    job.cancel = &cancel;
    uint32_t given = 0;
    const SequenceResult result = executor->run(job, [&](GeneratedToken) { cancel = ++given == 5; });
    CHECK(result.stop == StopReason::cancelled && given == 5 && result.generated == 5);
    CHECK(result.cached == 14);
    // What was kept is good.
    SequenceJob fresh = golden::greedyJob(prompt, 12);
    fresh.slot = 1;
    const golden::Output whole = golden::run(*executor, fresh);
    SequenceJob again = golden::greedyJob(prompt, 12);
    again.reused = 9;
    CHECK(golden::run(*executor, again) == whole);
}

TEST(cancelBeforeTheStart) {
    const auto executor = golden::load(llama, {.threads = 3, .slots = 1});
    const std::atomic<bool> cancel{true};
    const std::vector<int32_t> prompt = counting(20);
    SequenceJob job = golden::greedyJob(prompt, 5);
    job.cancel = &cancel;
    const golden::Output output = golden::run(*executor, job);
    CHECK(output.result.stop == StopReason::cancelled && output.tokens.empty() && output.result.cached == 0);
}

TEST(cancelDuringALongPrefill) {
    const auto executor = golden::load(nano, {.threads = 2, .slots = 1});
    const std::vector<int32_t> prompt = counting(2000);
    std::atomic<bool> cancel{false};
    SequenceJob job = golden::greedyJob(prompt, 5);
    job.cancel = &cancel;
    std::chrono::steady_clock::time_point asked;
    std::thread asker([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(40));
        asked = std::chrono::steady_clock::now();
        cancel = true;
    });
    const golden::Output output = golden::run(*executor, job);
    const auto end = std::chrono::steady_clock::now();
    asker.join();
    CHECK(output.result.stop == StopReason::cancelled && output.tokens.empty());
    CHECK(output.result.cached < 2000 && output.result.cached == output.result.prefilled);
    CHECK(output.result.cached % 64 == 0);
    CHECK(end - asked < std::chrono::milliseconds(500)); // a phase, on a machine that may be busy
}

TEST(slotsAreSeparate) {
    const auto executor = golden::load(llama, {.threads = 2, .slots = 3});
    const std::vector<int32_t> prompt = counting(80);
    const golden::Output fresh = golden::runGreedy(*executor, prompt, 10);
    for (const uint32_t slot : {1u, 2u}) {
        const std::vector<int32_t> other(90, static_cast<int32_t>(slot));
        SequenceJob job = golden::greedyJob(other, 10);
        job.slot = slot;
        golden::run(*executor, job);
    }
    SequenceJob again = golden::greedyJob(prompt, 10);
    again.reused = 79;
    CHECK(golden::run(*executor, again) == fresh);
}

TEST(throwingSinkLeavesTheRequest) {
    const auto executor = golden::load(llama, {.threads = 3, .slots = 1});
    const golden::Output good = golden::runGreedy(*executor, counting(20), 10);
    const auto throwing = [&] {
        const std::vector<int32_t> prompt = counting(20);
        executor->run(golden::greedyJob(prompt, 10), [](GeneratedToken) { throw std::domain_error("from the sink"); });
    };
    CHECK(throws<std::domain_error>(throwing, "from the sink"));
    CHECK(golden::runGreedy(*executor, counting(20), 10) == good);
}

TEST(impossibleRequestsAreRefused) {
    const auto executor = golden::load(llama, {.threads = 2, .slots = 2, .contextLength = 30});
    const auto run = [&](const std::vector<int32_t> &tokens, uint32_t slot, uint32_t reused) {
        return [&executor, tokens, slot, reused] {
            SequenceJob job = golden::greedyJob(tokens, 1);
            job.slot = slot;
            job.reused = reused;
            executor->run(job, [](GeneratedToken) {});
        };
    };
    CHECK(throws<std::invalid_argument>(run({}, 0, 0), "0 tokens"));
    CHECK(throws<std::invalid_argument>(run(counting(31), 0, 0), "31 tokens"));
    CHECK(throws<std::invalid_argument>(run({320}, 0, 0), "token 320"));
    CHECK(throws<std::invalid_argument>(run({-1}, 0, 0), "token -1"));
    CHECK(throws<std::invalid_argument>(run({1}, 2, 0), "slot 2"));
    CHECK(throws<std::invalid_argument>(run({1, 2}, 0, 2), "not reused"));
    const std::vector<int32_t> two{1, 2};
    const std::vector<uint32_t> beyond{2}, unordered{1, 0};
    CHECK(throws<std::invalid_argument>([&] { executor->logits(0, two, beyond, 1); }, "positions"));
    CHECK(throws<std::invalid_argument>([&] { executor->logits(0, two, unordered, 1); }, "positions"));
    CHECK(executor->logits(0, two, std::vector<uint32_t>{0, 1}, 0).size() == 640);
}

TEST(impossibleOptionsAreRefused) {
    CHECK(throws<std::invalid_argument>([] { golden::load(llama, {.instructionSet = "mmx"}); }, "mmx"));
    CHECK(throws<std::invalid_argument>([] { golden::load(llama, {.slots = 0}); }, "slots"));
    CHECK(throws<std::invalid_argument>([] { golden::load(llama, {.threads = 100000}); }, "threads"));
    CHECK(throws<std::invalid_argument>([] { golden::load(llama, {.contextLength = 257}); }, "257"));
    const auto giveUp = [] {
        makeCpuExecutor(Model::open(llama), {.threads = 2}, [](double done) {
            if (done > 0.5) {
                throw std::domain_error("given up");
            }
        });
    };
    CHECK(throws<std::domain_error>(giveUp, "given up"));
}

TEST(progressRisesToOne) {
    std::vector<double> seen;
    makeCpuExecutor(Model::open(llama), {.threads = 2}, [&](double done) { seen.push_back(done); });
    CHECK(seen.front() == 0.0 && seen.back() == 1.0 && std::is_sorted(seen.begin(), seen.end()));
}

TEST(severalExecutorsAtOnce) {
    const auto one = golden::load(llama, {.threads = 2, .slots = 1});
    const auto two = golden::load(std::filesystem::path(MONOKERNEL_GOLDEN) / "qwen3", {.threads = 3, .slots = 1});
    const golden::Output first = golden::runGreedy(*one, counting(20), 20);
    const golden::Output second = golden::runGreedy(*two, counting(20), 20);
    golden::Output firstAgain, secondAgain;
    std::thread other([&] { secondAgain = golden::runGreedy(*two, counting(20), 20); });
    firstAgain = golden::runGreedy(*one, counting(20), 20);
    other.join();
    CHECK(firstAgain == first && secondAgain == second && !(first == second));
}

TEST(theModelMayBeClosedAfterwards) {
    std::unique_ptr<Executor> executor;
    {
        const Model model = Model::open(llama);
        executor = makeCpuExecutor(model, {.threads = 2, .slots = 1}, [](double) {});
    }
    const golden::Folder expected = golden::readFolder(llama);
    CHECK(golden::runGreedy(*executor, expected.prompt, 5).tokens[0] == expected.greedy[0]);
}
