// Requests cut into launches for a device whose launches may not last.

#include "../../../bench/gpu/forwarding_driver.h"
#include "check.h"
#include "exec/gpu/launch_budget.h"
#include "golden_agreement.h"
#include "host_driver.h"

using namespace monokernel;

namespace {

/// A device that a display hangs on, and that counts launches.
class WatchedDriver final : public bench::ForwardingDriver {
public:
    WatchedDriver(std::unique_ptr<GpuDriver> driver, bool watched, uint32_t &launches)
        : ForwardingDriver(std::move(driver)), device_(this->driver().device()), launches_(launches) {
        device_.watched = watched;
    }
    const GpuDevice &device() const override { return device_; }
    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        launches_++;
        ForwardingDriver::launch(parameters, workgroups, threads, sharedBytes);
    }

private:
    GpuDevice device_;
    uint32_t &launches_;
};

} // namespace

TEST(aRequestIsOneLaunchWhereNothingWatches) {
    const LaunchPart all = LaunchBudget(false).next(5000, 7000, 16);
    CHECK(all.promptTokens == 5000 && all.newTokens == 7000);
}

/// Quarters of a second by what steps took: at first as on the slowest of cards, then as measured, carefully upwards.
TEST(launchesLastAsLongAsTheyMay) {
    LaunchBudget budget(true);
    CHECK(budget.next(1000, 100, 16).promptTokens == 64 && budget.next(1000, 100, 16).newTokens == 0);
    CHECK(budget.next(64, 100, 16).promptTokens == 64 && budget.next(64, 100, 16).newTokens == 4);
    budget.ran(4, 4 * 0.001, 4, 4 * 0.0005);
    CHECK(budget.next(1000, 100, 16).promptTokens == 128 && budget.next(1, 100, 16).newTokens == 8); // half as long
    for (int i = 0; i < 10; i++) {
        budget.ran(4, 4 * 0.001, 4, 4 * 0.0005);
    }
    CHECK(budget.next(10000, 1, 16).promptTokens == 4000 && budget.next(1, 10000, 16).newTokens == 500);
    budget.ran(1, 0.05, 1, 0.125); // another program has come
    CHECK(budget.next(10000, 1, 16).promptTokens == 80 && budget.next(1, 10000, 16).newTokens == 2);
    budget.ran(1, 10.0, 1, 10.0);
    CHECK(budget.next(10000, 1, 16).promptTokens == 16 && budget.next(1, 10000, 16).newTokens == 1);
    budget.ran(0, 1.0, 0, 1.0); // nothing is learnt of no steps
    CHECK(budget.next(10000, 1, 16).promptTokens == 16 && budget.next(1, 10000, 16).newTokens == 1);
}

/// Tokens, log-probabilities and what the result says are the same in parts as in one launch: of a prompt, of what is
/// generated after a reused one, with stop tokens, with sampling, and where the context ends.
TEST(partsGiveWhatOneLaunchGives) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / "llama";
    const golden::Folder expected = golden::readFolder(folder);
    std::vector<golden::Output> outputs[2];
    std::vector<uint32_t> launchesOf[2];
    for (const bool watched : {false, true}) {
        uint32_t launches = 0;
        const auto executor =
            makeGpuExecutor(std::make_unique<WatchedDriver>(makeHostDriver(2, 3), watched, launches),
                            Model::open(folder), {.kernelFolder = {}, .slots = 1, .contextLength = 76}, {});
        const auto run = [&](SequenceJob job) {
            launches = 0;
            outputs[watched].push_back(golden::run(*executor, job));
            launchesOf[watched].push_back(launches);
            return outputs[watched].back();
        };
        std::vector<int32_t> prompt = expected.prompt;
        while (prompt.size() < 70) {
            prompt.insert(prompt.end(), expected.prompt.begin(), expected.prompt.end());
        }
        prompt.resize(70);
        SequenceJob job = golden::greedyJob(prompt, 100); // to the end of the context
        const golden::Output whole = run(job);
        CHECK(whole.result.stop == StopReason::contextFull && whole.tokens.size() == 7);
        job.reused = 60;
        job.maxTokens = 6;
        job.sampling = {.temperature = 0.9f, .topK = 0, .topP = 1.0f, .seed = 5};
        const golden::Output sampled = run(job);
        CHECK(sampled.result.stop == StopReason::maxTokens && sampled.result.prefilled == 10);
        const std::span<const int32_t> stops(&sampled.tokens[5], 1);
        job.stopTokens = stops;
        const golden::Output stopped = run(job);
        CHECK(stopped.result.stop == StopReason::stopToken && stopped.result.generated == stopped.tokens.size());
    }
    for (size_t i = 0; i < outputs[0].size(); i++) {
        CHECK(outputs[1][i] == outputs[0][i]);
        CHECK(outputs[1][i].result.prefilled == outputs[0][i].result.prefilled);
        CHECK(outputs[1][i].result.cached == outputs[0][i].result.cached);
        CHECK(outputs[1][i].result.stop == outputs[0][i].result.stop);
        CHECK(launchesOf[0][i] == 1 && launchesOf[1][i] > 1);
    }
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
