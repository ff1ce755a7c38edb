// The kernel's host build on random models of odd shapes, beside a float64 reference.

#include "check.h"
#include "exec/gpu/gpu_executor.h"
#include "host_driver.h"
#include "random_agreement.h"

using namespace monokernel;

/// Fibers are slow: small models and few tokens, one or two workgroups a lane. A GPU runs all of them (gpu_check).
TEST(randomModels) {
    constexpr uint32_t count = 30;
    uint32_t seed = 0;
    golden::RandomModels models{.load =
                                    [&](const Model &model) {
                                        const uint32_t units = model.spec().laneCount * (1 + seed % 2);
                                        return makeGpuExecutor(makeHostDriver(units, seed), model,
                                                               {.kernelFolder = {}, .slots = 1}, {});
                                    },
                                .mostTokens = 20,
                                .mostBytes = 600'000};
    for (; seed < count; seed++) {
        const std::string trouble = models.troubleOf(seed);
        CHECK_MESSAGE(trouble.empty(), trouble);
    }
    std::printf("     off by up to %.2e; %u of %u models are too large\n", models.worst, models.leftOut, count);
    CHECK(models.leftOut < count * 2 / 3);
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
