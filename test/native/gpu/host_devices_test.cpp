// One model on several devices, by the kernel's host build: each device's waves take turns at random.

#include "check.h"
#include "golden_agreement.h"
#include "host_driver.h"

#include <functional>

using namespace monokernel;

namespace {

std::vector<std::unique_ptr<GpuDriver>> hostDevices(uint32_t count, uint32_t computeUnits) {
    std::vector<std::unique_ptr<GpuDriver>> drivers;
    for (uint32_t i = 0; i < count; i++) {
        drivers.push_back(makeHostDriver(computeUnits, 100 * count + i, i));
    }
    return drivers;
}

std::unique_ptr<Executor> loadOn(std::vector<std::unique_ptr<GpuDriver>> drivers, const std::string &name) {
    return makeGpuExecutor(std::move(drivers), Model::open(std::filesystem::path(MONOKERNEL_GOLDEN) / name),
                           {.kernelFolder = {}, .slots = 2, .contextLength = 0}, {});
}

golden::Folder firstPositions(const std::string &name, size_t positions) {
    golden::Folder expected = golden::readFolder(std::filesystem::path(MONOKERNEL_GOLDEN) / name);
    expected.positions.resize(positions);
    expected.logits.resize(positions);
    return expected;
}

/// The logits are the reference's, and a Laneformer's the same bits as on one device.
void checkDevices(const std::string &name, uint32_t computeUnits, std::initializer_list<uint32_t> counts,
                  bool sameBits) {
    const golden::Folder expected = firstPositions(name, 1);
    const auto run = [&](uint32_t devices, uint32_t width) {
        return loadOn(hostDevices(devices, computeUnits), name)->logits(1, expected.prompt, expected.positions, width);
    };
    const std::vector<float> one = sameBits ? run(1, 1) : std::vector<float>();
    for (const uint32_t devices : counts) {
        for (const uint32_t width : {1u, 16u}) {
            const std::vector<float> logits = run(devices, width);
            const double worst = golden::worstDifference(logits, expected);
            const std::string label = name + " on " + std::to_string(devices) + " devices of " +
                                      std::to_string(computeUnits) + ", width " + std::to_string(width);
            CHECK_MESSAGE(worst < golden::gpuTolerance, label + ", differs by " + std::to_string(worst));
            CHECK_MESSAGE(!sameBits || logits == one, label + ": not the bits of one device");
        }
    }
}

std::string messageOf(const std::function<void()> &action) {
    try {
        action();
    } catch (const ExecutionError &error) {
        return error.what();
    }
    return "nothing was thrown";
}

bool contains(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

} // namespace

TEST(delayedLanesOnTwoAndEightDevices) { checkDevices("laneformer-delay2", 3, {2, 8}, true); }
TEST(presentLanesOnEightDevices) { checkDevices("laneformer-early-comm", 1, {8}, true); }
TEST(laneNormsOnFourDevices) { checkDevices("laneformer-lane-norm", 1, {4}, true); }
TEST(llamaOnTwoDevices) { checkDevices("llama", 1, {2}, false); }
TEST(qwen2OnTwoDevices) { checkDevices("qwen2", 1, {2}, false); }

/// A plain transformer that is seen as several lanes of one device.
TEST(plainModelsOfTwoLanesOnOneDevice) {
    for (const char *name : {"llama", "qwen2"}) {
        const golden::Folder expected = firstPositions(name, 1);
        const auto executor =
            makeGpuExecutor(hostDevices(1, 3), Model::open(std::filesystem::path(MONOKERNEL_GOLDEN) / name),
                            {.kernelFolder = {}, .slots = 2, .lanesADevice = 2}, {});
        for (const uint32_t width : {1u, 16u}) {
            const double worst =
                golden::worstDifference(executor->logits(1, expected.prompt, expected.positions, width), expected);
            CHECK_MESSAGE(worst < golden::gpuTolerance, name + (", differs by " + std::to_string(worst)));
        }
    }
}

TEST(greedyTokensOfSeveralDevicesAreTheReferences) {
    const golden::Folder expected = golden::readFolder(std::filesystem::path(MONOKERNEL_GOLDEN) / "laneformer-delay2");
    const auto executor = loadOn(hostDevices(4, 2), "laneformer-delay2");
    const golden::Output output = golden::run(*executor, golden::greedyJob(expected.prompt, 8));
    CHECK(output.tokens.size() == 8 && std::equal(output.tokens.begin(), output.tokens.end(), expected.greedy.begin()));
}

TEST(drawnTokensDoNotDependOnTheDevices) {
    const golden::Folder expected = golden::readFolder(std::filesystem::path(MONOKERNEL_GOLDEN) / "laneformer-delay2");
    auto job = golden::greedyJob(expected.prompt, 2);
    job.sampling = {.temperature = 0.9f, .topK = 40, .topP = 0.9f, .seed = 3};
    std::vector<int32_t> one;
    for (const uint32_t devices : {1u, 2u}) {
        const golden::Output output = golden::run(*loadOn(hostDevices(devices, 2), "laneformer-delay2"), job);
        one = devices == 1 ? output.tokens : one;
        CHECK(output.tokens.size() == 2 && output.tokens == one);
    }
}

/// A workgroup of one device never comes: the error names the device, and the next request is right.
TEST(aDeviceThatKeepsTheOthersWaitingIsNamed) {
    std::vector<std::unique_ptr<GpuDriver>> drivers = hostDevices(2, 2);
    drivers[1] = makeIncompleteHostDriver(2, 9, 4000, 1);
    const golden::Folder expected = firstPositions("laneformer-delay2", 1);
    const auto executor = loadOn(std::move(drivers), "laneformer-delay2");
    const std::string message = messageOf([&] { executor->logits(0, expected.prompt, expected.positions, 1); });
    CHECK_MESSAGE(contains(message, "waited in vain for") && contains(message, "(device 1)"), message);
    CHECK(golden::worstDifference(executor->logits(0, expected.prompt, expected.positions, 1), expected) <
          golden::gpuTolerance);
}

TEST(modelsThatCannotBeSharedSaySo) {
    const std::string lanes = messageOf([] { loadOn(hostDevices(3, 2), "laneformer-delay2"); });
    CHECK_MESSAGE(contains(lanes, "8 lanes") && contains(lanes, "3 devices"), lanes);
    const std::string heads = messageOf([] { loadOn(hostDevices(8, 2), "qwen2"); });
    CHECK_MESSAGE(contains(heads, "heads cannot be shared out evenly"), heads);
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
