// The kernel's host build against the golden checkpoints, with random schedules of its waves.

#include "check.h"
#include "golden_agreement.h"
#include "host_driver.h"

using namespace monokernel;

namespace {

std::unique_ptr<Executor> loadOnFibers(const std::string &name, uint32_t computeUnits, uint64_t seed) {
    const Model model = Model::open(std::filesystem::path(MONOKERNEL_GOLDEN) / name);
    return makeGpuExecutor(makeHostDriver(computeUnits, seed), model,
                           {.kernelFolder = {}, .slots = 2, .contextLength = 0}, {});
}

/// Fibers are slow: few positions, and each checkpoint on one size of grid (fewer workgroups than lanes, as many,
/// more). A position's logits may not depend, to the bit, on how the positions before it were run.
void checkGolden(const std::string &name, uint32_t computeUnits) {
    golden::Folder expected = golden::readFolder(std::filesystem::path(MONOKERNEL_GOLDEN) / name);
    const auto executor = loadOnFibers(name, computeUnits, computeUnits);
    const std::string label = name + " on " + std::to_string(computeUnits) + " units";
    expected.positions.resize(2);
    expected.logits.resize(2);
    std::vector<float> byToken;
    for (const uint32_t width : {1u, 4u, 16u}) {
        const std::vector<float> logits = executor->logits(1, expected.prompt, expected.positions, width);
        const double worst = golden::worstDifference(logits, expected);
        CHECK_MESSAGE(worst < golden::gpuTolerance,
                      label + ", " + std::to_string(width) + " a step, differs by " + std::to_string(worst));
        byToken = width == 1 ? logits : byToken;
        CHECK_MESSAGE(logits == byToken, label + ": " + std::to_string(width) + " tokens a step change the logits");
    }
}

} // namespace

TEST(laneformerOnAWorkgroupALane) { checkGolden("laneformer-delay2", 8); }
TEST(laneformerOnThreeWorkgroups) { checkGolden("laneformer-early-comm", 3); }
TEST(laneNormOnTwoWorkgroupsALane) { checkGolden("laneformer-lane-norm", 9); }
TEST(qwen3OnAWorkgroupAQuery) { checkGolden("qwen3", 9); }
TEST(qwen2OnOneWorkgroup) { checkGolden("qwen2", 1); }

/// A lane that waits for its turn gets the same numbers: with fewer workgroups than lanes, as many, and two a lane.
TEST(lanesThatBeginInTurnGiveTheSameBits) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / "laneformer-delay2";
    std::vector<int32_t> prompt = golden::readFolder(folder).prompt;
    prompt.resize(2);
    std::vector<golden::Output> outputs;
    for (const bool inTurn : {false, true}) {
        for (const uint32_t computeUnits : {3u, 8u, 17u}) {
            const auto executor = makeGpuExecutor(makeHostDriver(computeUnits, computeUnits), Model::open(folder),
                                                  {.kernelFolder = {}, .slots = 1, .lanesInTurn = inTurn}, {});
            outputs.push_back(golden::run(*executor, golden::greedyJob(prompt, 3)));
        }
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK(outputs[i].tokens.size() == 3 && outputs[i + 3] == outputs[i]);
    }
}

TEST(stopTokensAreNotGiven) {
    const auto executor = loadOnFibers("llama", 3, 5);
    const std::string trouble = golden::stopTokenTrouble(*executor, {1, 2});
    CHECK_MESSAGE(trouble.empty(), trouble);
}

/// A workgroup that never comes is an error that names what was waited for, soon, and the next request is right.
TEST(aWaitInVainEndsAndIsNamed) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / "llama";
    const golden::Folder expected = golden::readFolder(folder);
    const auto executor = makeGpuExecutor(makeIncompleteHostDriver(3, 7, 4000), Model::open(folder),
                                          {.kernelFolder = {}, .slots = 1, .contextLength = 0}, {});
    const std::vector<uint32_t> first{0};
    std::string message;
    try {
        executor->logits(0, expected.prompt, first, 1);
    } catch (const ExecutionError &error) {
        message = error.what();
    }
    CHECK_MESSAGE(message.find("waited in vain for") != std::string::npos && message.find("layer") != std::string::npos,
                  message);
    golden::Folder begin = expected;
    begin.positions.resize(1);
    begin.logits.resize(1);
    CHECK(golden::worstDifference(executor->logits(0, expected.prompt, first, 1), begin) < golden::gpuTolerance);
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
