#include "check.h"
#include "kernel/parameters.h"
#include "shipped_kernel.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

using namespace gfx942;
using ::monokernel::ExecutionError;

// The shipped kernel on several devices at once: lanes dealt out to them, in random order, with stores between them
// that arrive late and overtake each other.

namespace {

/// How a box looks and how its devices are interleaved.
struct Schedule {
    u32 devices, computeUnits;
    u64 seed;
    u32 slice;
    u64 longestDelay;
};

std::filesystem::path goldenFolder(const std::string &name) { return std::filesystem::path(MONOKERNEL_GOLDEN) / name; }

std::vector<std::string> checkpoints(bool laneformers) {
    std::vector<std::string> names = golden::folderNames();
    std::erase_if(names, [&](const std::string &name) { return name.starts_with("laneformer") != laneformers; });
    return names;
}

golden::Folder expectedOf(const std::string &name, size_t positions) {
    golden::Folder expected = golden::readFolder(goldenFolder(name));
    expected.positions.resize(positions);
    expected.logits.resize(positions);
    return expected;
}

TranslationOptions optionsOf(const Schedule &s) {
    return {.computeUnits = s.computeUnits, .seed = s.seed, .slice = s.slice};
}

TranslatedExecutor open(const std::string &name, const Schedule &s) {
    return {goldenFolder(name), translatedDevices(s.devices, optionsOf(s), s.longestDelay)};
}

std::string labelOf(const std::string &name, const Schedule &s) {
    return name + ", " + std::to_string(s.devices) + " devices of " + std::to_string(s.computeUnits) + " units, seed " +
           std::to_string(s.seed);
}

/// Runs `body(executor, label)` and says how long it took.
template <class Body> void onDevices(const std::string &name, const Schedule &schedule, const Body &body) {
    const std::string label = labelOf(name, schedule);
    const auto start = std::chrono::steady_clock::now();
    try {
        const TranslatedExecutor translated = open(name, schedule);
        body(*translated.executor, label);
    } catch (const ExecutionError &error) {
        CHECK_MESSAGE(false, label + ": " + error.what());
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("     %s: %.1f s\n", label.c_str(), seconds.count());
}

void checkGreedy(const std::string &name, const Schedule &schedule, u32 tokens) {
    golden::Folder expected = golden::readFolder(goldenFolder(name));
    expected.greedy.resize(tokens);
    onDevices(name, schedule, [&](::monokernel::Executor &executor, const std::string &label) {
        const golden::Output output = golden::run(executor, golden::greedyJob(expected.prompt, tokens));
        CHECK_MESSAGE(firstWrongToken(output.tokens, expected) < 0, label);
        CHECK_MESSAGE(output.result.generated == tokens && output.result.prefilled == expected.prompt.size(), label);
    });
}

/// Prompts by steps of 16 tokens and of one: the reference's logits, and the bits of one device with as many workgroups
/// as each of the several has.
void checkBits(const std::string &name, Schedule schedule) {
    const golden::Folder expected = expectedOf(name, 1);
    schedule.devices = std::min(schedule.devices, ::monokernel::Model::open(goldenFolder(name)).spec().laneCount);
    onDevices(name, schedule, [&](::monokernel::Executor &executor, const std::string &label) {
        const TranslatedExecutor one = open(name, {1, schedule.computeUnits, schedule.seed + 1, 400, 0});
        for (const u32 width : {16u, 1u}) {
            const auto logits = executor.logits(1, expected.prompt, expected.positions, width);
            const double worst = worstLogit(logits, expected);
            const std::string at = label + ", width " + std::to_string(width);
            CHECK_MESSAGE(worst <= logitTolerance, at + ": " + std::to_string(worst));
            CHECK_MESSAGE(logits == one.executor->logits(1, expected.prompt, expected.positions, width),
                          at + ": other bits than one device's");
        }
    });
}

/// A device that fails in the first of its launches and is well afterwards.
enum class Failure { launchThrows, finishedThrows, workgroupMissing };

class FailingDriver final : public TranslatedDriver {
public:
    FailingDriver(const TranslationOptions &options, Failure failure)
        : TranslatedDriver(gfx942::monokernel::kernel, options), failure_(failure) {}

    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        launches_++;
        if (fails() && failure_ == Failure::launchThrows) {
            throw ExecutionError("the launch was refused");
        }
        ::monokernel::kernel::Parameters p;
        std::memcpy(&p, parameters.data(), sizeof p);
        p.spinLimit = 1500; // the others' waits last as long as they like
        TranslatedDriver::launch(std::as_bytes(std::span(&p, 1)),
                                 workgroups - (fails() && failure_ == Failure::workgroupMissing ? 1 : 0), threads,
                                 sharedBytes);
    }

    bool finished() override {
        if (fails() && failure_ == Failure::finishedThrows && ++looks_ == 100) {
            throw ExecutionError("the device was lost");
        }
        return TranslatedDriver::finished();
    }

private:
    bool fails() const { return launches_ == 1; }

    Failure failure_;
    u32 launches_ = 0, looks_ = 0;
};

/// The last of several devices fails in the first request, which ends with an error that names it; the next is right.
void checkFailure(Failure failure, const Schedule &schedule, const std::string &why) {
    const std::string name = "laneformer-delay2";
    const golden::Folder expected = golden::readFolder(goldenFolder(name));
    auto devices = translatedDevices(schedule.devices - 1, optionsOf(schedule), schedule.longestDelay);
    TranslationOptions options = optionsOf(schedule);
    options.box = devices.front()->box();
    devices.push_back(std::make_unique<FailingDriver>(options, failure));
    const TranslatedExecutor translated(goldenFolder(name), std::move(devices));
    const auto start = std::chrono::steady_clock::now();
    std::string message = "nothing was thrown";
    try {
        golden::run(*translated.executor, golden::greedyJob(expected.prompt, 4));
    } catch (const ExecutionError &error) {
        message = error.what();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const std::string device = "(device " + std::to_string(schedule.devices - 1) + ")";
    CHECK_MESSAGE(message.find(device) != std::string::npos && message.find(why) != std::string::npos, message);
    CHECK_MESSAGE(seconds.count() < 10, message + " came after " + std::to_string(seconds.count()) + " s");
    const golden::Output after = golden::run(*translated.executor, golden::greedyJob(expected.prompt, 3));
    CHECK(after.tokens.size() == 3 && std::equal(after.tokens.begin(), after.tokens.end(), expected.greedy.begin()));
    std::printf("     %s, after %.1f s\n", message.c_str(), seconds.count());
}

} // namespace

TEST(devicesGiveTheBitsOfOneDevice) {
    const Schedule schedules[] = {{2, 3, 21, 100, 20'000}, {4, 2, 22, 300, 50'000}, {8, 1, 23, 60, 5'000}};
    for (const std::string &name : checkpoints(true)) {
        for (const Schedule &schedule : schedules) {
            checkBits(name, schedule);
        }
    }
    checkBits("laneformer-delay2", {2, 17, 24, 400, 20'000}); // where one device has several workgroups a lane
}

TEST(devicesGiveTheReferencesGreedyTokens) {
    const Schedule schedules[] = {{2, 3, 31, 200, 10'000}, {4, 2, 32, 40, 40'000}, {8, 1, 33, 400, 20'000}};
    size_t next = 0;
    for (const std::string &name : checkpoints(true)) {
        checkGreedy(name, schedules[next++ % std::size(schedules)], 6);
    }
}

TEST(devicesSharePlainModels) {
    const Schedule schedules[] = {{2, 1, 41, 100, 20'000}, {2, 3, 42, 300, 50'000}, {2, 2, 43, 30, 5'000}};
    size_t next = 0;
    for (const std::string &name : checkpoints(false)) {
        const Schedule &schedule = schedules[next++ % std::size(schedules)];
        const golden::Folder expected = expectedOf(name, 1);
        onDevices(name, schedule, [&](::monokernel::Executor &executor, const std::string &label) {
            for (const u32 width : {16u, 1u}) {
                const double worst =
                    worstLogit(executor.logits(1, expected.prompt, expected.positions, width), expected);
                CHECK_MESSAGE(worst <= logitTolerance,
                              label + ", width " + std::to_string(width) + ": " + std::to_string(worst));
            }
        });
        checkGreedy(name, schedule, 8);
    }
}

TEST(plainModelsAreSeenAsTwoLanesOfADevice) {
    for (const std::string &name : checkpoints(false)) {
        const golden::Folder expected = expectedOf(name, 1);
        const TranslatedExecutor translated(goldenFolder(name),
                                            translatedDevices(1, {.computeUnits = 5, .seed = 44}, 0), {}, 2);
        for (const u32 width : {16u, 1u}) {
            const double worst =
                worstLogit(translated.executor->logits(1, expected.prompt, expected.positions, width), expected);
            CHECK_MESSAGE(worst <= logitTolerance,
                          name + ", width " + std::to_string(width) + ": " + std::to_string(worst));
        }
    }
}

TEST(devicesReusePrefixes) {
    const golden::Folder expected = golden::readFolder(goldenFolder("laneformer-delay2"));
    onDevices("laneformer-delay2", {4, 1, 51, 200, 20'000},
              [&](::monokernel::Executor &executor, const std::string &label) {
                  auto job = golden::greedyJob(expected.prompt, 4);
                  const golden::Output fresh = golden::run(executor, job);
                  job.reused = 30;
                  const golden::Output reused = golden::run(executor, job);
                  CHECK_MESSAGE(fresh == reused, label);
                  CHECK(reused.result.prefilled == expected.prompt.size() - 30);
              });
}

TEST(devicesCancelTogether) {
    const golden::Folder expected = golden::readFolder(goldenFolder("laneformer-gqa-tied"));
    onDevices("laneformer-gqa-tied", {4, 1, 52, 100, 20'000},
              [&](::monokernel::Executor &executor, const std::string &label) {
                  std::atomic<bool> cancel{false};
                  auto job = golden::greedyJob(expected.prompt, 24);
                  job.cancel = &cancel;
                  u32 tokens = 0;
                  const auto result = executor.run(job, [&](::monokernel::GeneratedToken) { cancel = ++tokens == 3; });
                  CHECK_MESSAGE(result.stop == ::monokernel::StopReason::cancelled && result.generated < 24, label);
                  const golden::Output after = golden::run(executor, golden::greedyJob(expected.prompt, 4));
                  CHECK_MESSAGE(after.tokens.size() == 4 &&
                                    std::equal(after.tokens.begin(), after.tokens.end(), expected.greedy.begin()),
                                label);
              });
}

TEST(devicesThatRefuseALaunchAreNamed) {
    checkFailure(Failure::launchThrows, {2, 2, 61, 200, 20'000}, "the launch was refused");
}

TEST(devicesThatAreLostAreNamed) {
    checkFailure(Failure::finishedThrows, {4, 1, 62, 200, 20'000}, "the device was lost");
}

TEST(devicesThatLackAWorkgroupAreNamed) {
    checkFailure(Failure::workgroupMissing, {2, 3, 63, 200, 20'000}, "waited in vain for");
}
