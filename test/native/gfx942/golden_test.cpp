#include "check.h"
#include "shipped_kernel.h"

#include <chrono>
#include <cstdio>

using namespace gfx942;

namespace {

/// How the device looks and how its waves are interleaved.
struct Schedule {
    u32 computeUnits;
    u64 seed; ///< 0: round robin
    u32 slice;
};

/// Every checkpoint runs on one of these in turn, so all grids are met.
constexpr Schedule schedules[] = {{8, 1, 400}, {1, 2, 100}, {304, 3, 1000}, {16, 0, 300}, {40, 4, 40},
                                  {3, 5, 200}, {64, 6, 10}, {132, 7, 600},  {24, 8, 80}};

std::filesystem::path goldenFolder(const std::string &name) { return std::filesystem::path(MONOKERNEL_GOLDEN) / name; }

std::string labelOf(const std::string &name, const Schedule &schedule) {
    return name + ", " + std::to_string(schedule.computeUnits) + " workgroups, seed " + std::to_string(schedule.seed);
}

TranslatedExecutor open(const std::string &name, const Schedule &schedule) {
    return {goldenFolder(name),
            {.computeUnits = schedule.computeUnits, .seed = schedule.seed, .slice = schedule.slice}};
}

template <class Body> void onEveryCheckpoint(size_t firstSchedule, const Body &body) {
    size_t next = firstSchedule;
    for (const std::string &name : golden::folderNames()) {
        const Schedule &schedule = schedules[next++ % std::size(schedules)];
        const std::string label = labelOf(name, schedule);
        const auto start = std::chrono::steady_clock::now();
        TranslatedExecutor translated = open(name, schedule);
        try {
            body(translated, golden::readFolder(goldenFolder(name)), label);
        } catch (const ::monokernel::ExecutionError &error) {
            CHECK_MESSAGE(false, label + ": " + error.what());
        }
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        std::printf("     %s: %.1f M wave-instructions, %.1f s\n", label.c_str(),
                    static_cast<double>(translated.driver->executed()) * 1e-6, seconds.count());
    }
}

} // namespace

TEST(goldenGreedyTokens) {
    onEveryCheckpoint(0, [](TranslatedExecutor &translated, const golden::Folder &expected, const std::string &label) {
        const auto count = static_cast<u32>(expected.greedy.size());
        const golden::Output output = golden::run(*translated.executor, golden::greedyJob(expected.prompt, count));
        CHECK_MESSAGE(firstWrongToken(output.tokens, expected) < 0, label);
        CHECK_MESSAGE(output.result.generated == count && output.result.prefilled == expected.prompt.size(), label);
    });
}

TEST(goldenLogitsByPrefillAndDecode) {
    onEveryCheckpoint(4, [](TranslatedExecutor &translated, const golden::Folder &expected, const std::string &label) {
        for (const u32 width : {16u, 1u}) {
            const double worst =
                worstLogit(translated.executor->logits(1, expected.prompt, expected.positions, width), expected);
            CHECK_MESSAGE(worst <= logitTolerance,
                          label + ", width " + std::to_string(width) + ": " + std::to_string(worst));
        }
    });
}

TEST(goldenPrefixReuseGivesTheSameTokens) {
    TranslatedExecutor translated = open("laneformer-delay2", {16, 11, 300});
    const golden::Folder expected = golden::readFolder(goldenFolder("laneformer-delay2"));
    auto job = golden::greedyJob(expected.prompt, 6);
    const golden::Output fresh = golden::run(*translated.executor, job);
    job.reused = 30;
    const golden::Output reused = golden::run(*translated.executor, job);
    CHECK(fresh == reused);
    CHECK(reused.result.prefilled == expected.prompt.size() - 30);
}

TEST(goldenCancellationLeavesTheNextRequestRight) {
    TranslatedExecutor translated = open("llama", {8, 12, 300});
    const golden::Folder expected = golden::readFolder(goldenFolder("llama"));
    std::atomic<bool> cancel{false};
    auto job = golden::greedyJob(expected.prompt, 24);
    job.cancel = &cancel;
    u32 tokens = 0;
    const auto result = translated.executor->run(job, [&](::monokernel::GeneratedToken) { cancel = ++tokens == 3; });
    CHECK(result.stop == ::monokernel::StopReason::cancelled && result.generated < 24);
    const golden::Output after = golden::run(*translated.executor, golden::greedyJob(expected.prompt, 8));
    CHECK(firstWrongToken(after.tokens, expected) < 0 || firstWrongToken(after.tokens, expected) >= 8);
}
