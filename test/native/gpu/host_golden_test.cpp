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

/// Fibers are slow: few tokens, and each checkpoint on one size of grid (fewer workgroups than lanes, as many, more).
void checkGolden(const std::string &name, uint32_t computeUnits) {
    const golden::Folder expected = golden::readFolder(std::filesystem::path(MONOKERNEL_GOLDEN) / name);
    const auto executor = loadOnFibers(name, computeUnits, computeUnits);
    const std::string label = name + " on " + std::to_string(computeUnits) + " units";
    golden::Folder begin = expected;
    begin.positions.resize(2);
    begin.logits.resize(2);
    const double worst = golden::worstDifference(executor->logits(1, expected.prompt, begin.positions, 1), begin);
    CHECK_MESSAGE(worst < golden::gpuTolerance, label + " differs by " + std::to_string(worst));
}

} // namespace

TEST(laneformerOnAWorkgroupALane) { checkGolden("laneformer-delay2", 8); }
TEST(laneformerOnThreeWorkgroups) { checkGolden("laneformer-early-comm", 3); }
TEST(laneNormOnTwoWorkgroupsALane) { checkGolden("laneformer-lane-norm", 9); }
TEST(qwen3OnSeveralWorkgroups) { checkGolden("qwen3", 5); }
TEST(qwen2OnOneWorkgroup) { checkGolden("qwen2", 1); }

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
