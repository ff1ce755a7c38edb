// A worker count that changes within requests, and a machine with other work on it, change no bit.

#include "check.h"
#include "golden_file.h"
#include "random_model.h"

#include <atomic>
#include <set>
#include <thread>

using namespace monokernel;

namespace {

const std::filesystem::path nano = std::filesystem::path(MONOKERNEL_MODELS) / "laneformer-nano";

/// A random number before each step, however that step went.
class RandomWorkerCount final : public WorkerCountPolicy {
public:
    RandomWorkerCount(uint32_t seed, uint32_t most) : random_(seed), most_(most) {}

    WorkerChoice choose(uint32_t, Time) override {
        // Seldom enough that those who are called in the middle of a request have the time to arrive.
        if (random_() % 4 == 0) {
            workers_ = 1 + random_() % most_;
        }
        return {workers_, std::chrono::hours(24)};
    }
    void observe(const StepTiming &timing, Time) override {
        changes += last_ != 0 && last_ != timing.workers ? 1 : 0;
        last_ = timing.workers;
        seen.insert(timing.workers);
    }

    std::set<uint32_t> seen;
    uint32_t changes = 0;

private:
    std::mt19937 random_;
    const uint32_t most_;
    uint32_t workers_ = 1, last_ = 0;
};

/// Keeps a core busy while it lives, most of the time the one that the last worker wants.
class BusyThread {
public:
    BusyThread()
        : thread_([this] {
              while (!stop_.load(std::memory_order_relaxed)) {
              }
          }) {}
    ~BusyThread() {
        stop_ = true;
        thread_.join();
    }
    BusyThread(const BusyThread &) = delete;
    BusyThread &operator=(const BusyThread &) = delete;

private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

std::vector<int32_t> tokensOf(std::mt19937 &random, uint32_t count, uint32_t vocabulary) {
    std::vector<int32_t> tokens(count);
    for (int32_t &token : tokens) {
        token = static_cast<int32_t>(random() % vocabulary);
    }
    return tokens;
}

/// Many sampled requests, which must be equal to those of one worker.
void checkRandomCounts(const std::filesystem::path &folder, uint32_t seed, const std::string &label,
                       std::set<uint32_t> &seen, uint32_t &changes) {
    constexpr uint32_t most = 4;
    const auto counts = std::make_shared<RandomWorkerCount>(seed, most);
    const auto reference = golden::load(folder, {.threads = 1, .slots = 1});
    const auto changing = golden::load(folder, {.threads = most, .slots = 1, .workerCount = counts});
    const uint32_t vocabulary = Model::open(folder).spec().vocabularySize;
    std::mt19937 random(seed);
    for (uint32_t i = 0; i < 6; i++) {
        const std::vector<int32_t> prompt = tokensOf(random, 1 + random() % 100, vocabulary);
        SequenceJob job = golden::greedyJob(prompt, 16);
        job.sampling = {.temperature = i % 2 == 0 ? 0.0f : 0.9f, .topK = 30, .topP = 0.95f, .seed = i};
        CHECK_MESSAGE(golden::run(*changing, job) == golden::run(*reference, job),
                      label + " request " + std::to_string(i));
    }
    seen.insert(counts->seen.begin(), counts->seen.end());
    changes += counts->changes;
}

} // namespace

TEST(aCountThatChangesWithinRequestsChangesNoBit) {
    std::set<uint32_t> seen;
    uint32_t changes = 0;
    for (const std::string &name : golden::folderNames()) {
        checkRandomCounts(std::filesystem::path(MONOKERNEL_GOLDEN) / name, 11, name, seen, changes);
    }
    for (uint32_t seed = 200; seed < 206; seed++) {
        std::mt19937 random(seed);
        const draft::TemporaryFolder folder;
        randomModel(random).write(folder.path());
        checkRandomCounts(folder.path(), seed, "seed " + std::to_string(seed), seen, changes);
    }
    CHECK((seen == std::set<uint32_t>{1, 2, 3, 4}));
    CHECK_MESSAGE(changes > 100, std::to_string(changes));
}

TEST(otherWorkOnTheMachineChangesNoBit) {
    std::mt19937 random(12);
    const std::vector<int32_t> prompt = tokensOf(random, 150, 16384);
    const auto alone = golden::load(nano, {.threads = 1, .slots = 1});
    const golden::Output expected = golden::runGreedy(*alone, prompt, 60);
    const auto executor = golden::load(nano, {.threads = 2, .slots = 1, .workerCount = makeAdaptiveWorkerCount(2)});
    for (int busy = 0; busy <= 2; busy++) {
        std::vector<std::unique_ptr<BusyThread>> others;
        for (int i = 0; i < busy; i++) {
            others.push_back(std::make_unique<BusyThread>());
        }
        for (int i = 0; i < 4; i++) {
            CHECK_MESSAGE(golden::runGreedy(*executor, prompt, 60) == expected, std::to_string(busy) + " busy beside");
        }
    }
}
