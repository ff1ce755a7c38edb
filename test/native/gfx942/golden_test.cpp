#include "check.h"
#include "shipped_kernel.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <span>

using namespace gfx942;

namespace {

/// How the device looks and how its waves are interleaved.
struct Schedule {
    u32 computeUnits;
    u64 seed; ///< 0: round robin
    u32 slice;
};

/// Checkpoints take these in turn. A step costs about 0.12 M wave-instructions a workgroup, so whole requests run on
/// small grids, the first positions' logits on all. Of 360 units 304 get a workgroup there, of 150 125.
constexpr Schedule requestSchedules[] = {{8, 1, 400}, {1, 2, 100}, {4, 3, 40},  {16, 0, 300}, {3, 4, 10},
                                         {8, 5, 900}, {2, 6, 60},  {5, 7, 200}, {8, 8, 20}};
constexpr Schedule logitsSchedules[] = {{40, 11, 300}, {360, 12, 1000}, {8, 13, 100}, {64, 14, 500}, {4, 15, 50},
                                        {24, 16, 40},  {150, 0, 700},   {1, 17, 200}, {16, 18, 80}};

/// How many of the golden positions a grid's logits are checked at.
size_t positionsOn(u32 computeUnits) { return computeUnits > 64 ? 1 : computeUnits > 8 ? 2 : 4; }

std::filesystem::path goldenFolder(const std::string &name) { return std::filesystem::path(MONOKERNEL_GOLDEN) / name; }

std::string labelOf(const std::string &name, const Schedule &schedule) {
    return name + ", " + std::to_string(schedule.computeUnits) + " units, seed " + std::to_string(schedule.seed);
}

TranslatedExecutor open(const std::string &name, const Schedule &schedule) {
    return {goldenFolder(name),
            {.computeUnits = schedule.computeUnits, .seed = schedule.seed, .slice = schedule.slice}};
}

/// Returns the size of the largest grid.
template <class Body> u32 onEveryCheckpoint(std::span<const Schedule> schedules, const Body &body) {
    size_t next = 0;
    u32 largest = 0;
    for (const std::string &name : golden::folderNames()) {
        const Schedule &schedule = schedules[next++ % schedules.size()];
        const std::string label = labelOf(name, schedule);
        const auto start = std::chrono::steady_clock::now();
        TranslatedExecutor translated = open(name, schedule);
        try {
            body(translated, golden::readFolder(goldenFolder(name)), label);
        } catch (const ::monokernel::ExecutionError &error) {
            CHECK_MESSAGE(false, label + ": " + error.what());
        }
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        const u32 workgroups = translated.driver->workgroups();
        largest = std::max(largest, workgroups);
        std::printf("     %s: %u workgroups, %.1f M wave-instructions, %.1f s\n", label.c_str(), workgroups,
                    static_cast<double>(translated.driver->executed()) * 1e-6, seconds.count());
    }
    return largest;
}

} // namespace

TEST(goldenGreedyTokens) {
    onEveryCheckpoint(
        requestSchedules, [](TranslatedExecutor &translated, const golden::Folder &expected, const std::string &label) {
            const auto count = static_cast<u32>(expected.greedy.size());
            const golden::Output output = golden::run(*translated.executor, golden::greedyJob(expected.prompt, count));
            CHECK_MESSAGE(firstWrongToken(output.tokens, expected) < 0, label);
            CHECK_MESSAGE(output.result.generated == count && output.result.prefilled == expected.prompt.size(), label);
        });
}

TEST(goldenLogitsByPrefillAndDecode) {
    const u32 largest = onEveryCheckpoint(
        logitsSchedules, [](TranslatedExecutor &translated, golden::Folder expected, const std::string &label) {
            const size_t positions = positionsOn(translated.driver->device().computeUnits);
            expected.positions.resize(positions);
            expected.logits.resize(positions);
            for (const u32 width : {16u, 1u}) {
                const double worst =
                    worstLogit(translated.executor->logits(1, expected.prompt, expected.positions, width), expected);
                CHECK_MESSAGE(worst <= logitTolerance,
                              label + ", width " + std::to_string(width) + ": " + std::to_string(worst));
            }
        });
    CHECK_MESSAGE(largest == 304, std::to_string(largest) + " workgroups at most, an MI300X has 304 compute units");
}

TEST(stopTokensAreNotGiven) {
    const TranslatedExecutor translated = open("llama", {2, 19, 60});
    const std::string trouble = golden::stopTokenTrouble(*translated.executor, {1, 2});
    CHECK_MESSAGE(trouble.empty(), trouble);
}

/// Of each kind of head: the last token of a prompt is run with others or alone, and its step ends with the head.
TEST(goldenPrefixReuseGivesTheSameTokens) {
    for (const char *name : {"laneformer-delay2", "laneformer-prenorm-agg", "laneformer-vocab-parallel", "qwen3"}) {
        TranslatedExecutor translated = open(name, {16, 11, 300});
        const golden::Folder expected = golden::readFolder(goldenFolder(name));
        auto job = golden::greedyJob(expected.prompt, 3);
        const golden::Output fresh = golden::run(*translated.executor, job);
        const auto length = static_cast<u32>(expected.prompt.size());
        for (const u32 reused : {30u, length - 1}) {
            job.reused = reused;
            const golden::Output output = golden::run(*translated.executor, job);
            CHECK_MESSAGE(fresh == output, std::string(name) + ", " + std::to_string(reused) + " tokens reused");
            CHECK(output.result.prefilled == length - reused);
        }
    }
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
