// Correctness of the monokernel on this machine's GPUs: every golden checkpoint, random models, checkpoints also by a
// kernel that is short of registers, the nano model and many requests with random cancellations on the first; golden
// checkpoints on halves of the first that pass for two devices, and on as many devices as there are. What comes after
// "ampere" is done by the kernel for Ampere, after "card" also as on a graphics card. Usage (from the repository's
// root): gpu_check KERNELS [golden|random|starved|nano NANO_FOLDER|cancel|small|halves|devices|ampere|card]...

#include "../../test/native/gpu/golden_agreement.h"
#include "../../test/native/gpu/random_agreement.h"
#include "devices.h"
#include "exec/gpu/gpu_executor.h"
#include "exec/gpu/kernel_file.h"
#include "exec/gpu/kernel_target.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

using namespace monokernel;

namespace {

constexpr int promptRuns = 100; ///< a race that this looks for gave other bits in 5 to 16 % of prompts

int failures = 0;

void expect(bool condition, const std::string &what) {
    if (!condition) {
        failures++;
    }
    std::printf("%s %s\n", condition ? "ok  " : "FAIL", what.c_str());
    std::fflush(stdout);
}

std::unique_ptr<Executor> load(const GpuDevice &device, const Model &model, const GpuOptions &options) {
    return makeGpuExecutor(std::make_unique<bench::DeviceAs>(device), model, options, {});
}

std::unique_ptr<Executor> load(const GpuDevice &device, const std::filesystem::path &kernels,
                               const std::filesystem::path &folder) {
    return load(device, Model::open(folder), {kernels, 2, 0});
}

golden::Output checkGreedy(Executor &executor, const golden::Folder &expected, const std::string &label) {
    const auto count = static_cast<uint32_t>(expected.greedy.size());
    const golden::Output output = golden::run(executor, golden::greedyJob(expected.prompt, count));
    const size_t right = golden::firstWrongToken(output.tokens, expected.greedy, expected.margin, golden::gpuTolerance);
    expect(right == count, label + " greedy tokens: " + std::to_string(right) + " of " + std::to_string(count));
    return output;
}

void checkGolden(const GpuDevice &device, const std::filesystem::path &kernels, const std::string &name) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
    const golden::Folder expected = golden::readFolder(folder);
    const Model model = Model::open(folder);
    const auto executor = load(device, model, {kernels, 2, 0});
    const std::vector<float> byToken = executor->logits(1, expected.prompt, expected.positions, 1);
    const double worst = golden::worstDifference(byToken, expected);
    expect(worst < golden::gpuTolerance, name + " logits: worst difference " + std::to_string(worst));
    for (const uint32_t width : {5u, 16u}) {
        expect(executor->logits(1, expected.prompt, expected.positions, width) == byToken,
               name + " the same bits with " + std::to_string(width) + " tokens a step");
    }
    const golden::Output output = checkGreedy(*executor, expected, name);
    const auto count = static_cast<uint32_t>(expected.greedy.size());
    expect(golden::run(*executor, golden::greedyJob(expected.prompt, count)) == output, name + " the same bits again");
    SequenceJob alone = golden::greedyJob(expected.prompt, count);
    alone.reused = static_cast<uint32_t>(expected.prompt.size()) - 1;
    expect(golden::run(*executor, alone) == output, name + " the same bits with the prompt's last token alone");
    const std::string trouble = golden::stopTokenTrouble(*executor, expected.prompt);
    expect(trouble.empty(), name + " ends before stop tokens" + (trouble.empty() ? "" : ": ") + trouble);
    if (model.spec().laneCount > 1) {
        const auto inTurn = load(device, model, {.kernelFolder = kernels, .slots = 1, .lanesInTurn = true});
        expect(golden::run(*inTurn, golden::greedyJob(expected.prompt, count)) == output,
               name + " the same bits with lanes that begin in turn");
    } else {
        checkGreedy(*load(device, model, {.kernelFolder = kernels, .slots = 1, .lanesADevice = 2}), expected,
                    name + " as two lanes");
    }
}

/// A prompt many times over: a race need not show at once.
void checkRepeated(const GpuDevice &device, const std::filesystem::path &kernels, const std::string &name) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
    const golden::Folder expected = golden::readFolder(folder);
    const auto executor = load(device, kernels, folder);
    const std::vector<float> byToken = executor->logits(1, expected.prompt, expected.positions, 1);
    int others = 0;
    for (int i = 0; i < promptRuns; i++) {
        others += executor->logits(1, expected.prompt, expected.positions, 16) == byToken ? 0 : 1;
    }
    expect(others == 0,
           name + " prompt " + std::to_string(promptRuns) + " times: " + std::to_string(others) + " with other bits");
}

void checkAllGolden(const GpuDevice &device, const std::filesystem::path &kernels) {
    for (const std::string &name : golden::folderNames()) {
        checkGolden(device, kernels, name);
        checkRepeated(device, kernels, name);
    }
}

/// The same kernel with fewer registers than it needs, for the driver to compile: values wait in memory, and the same
/// operations come at other times. A race that the usual build hides may show.
void checkStarved(const GpuDevice &device, const std::filesystem::path &kernels) {
    const std::string &file = kernelTarget(device.target).file;
    if (!device.target.starts_with("sm_")) {
        std::printf("starved: only PTX can be given fewer registers, not a %s object\n", device.target.c_str());
        return;
    }
    const std::string text = readKernelFile(kernels / file);
    const std::string usual = ".minnctapersm 1";
    const size_t at = text.find(usual);
    expect(at != std::string::npos, file + " leaves the registers to the compiler");
    if (at == std::string::npos) {
        return;
    }
    for (const char *registers : {"200", "160"}) {
        const std::filesystem::path folder =
            std::filesystem::temp_directory_path() / (std::string("monokernel-starved-") + registers);
        std::filesystem::create_directories(folder);
        std::ofstream(folder / file) << std::string(text).replace(at, usual.size(),
                                                                  std::string(".maxnreg ") + registers);
        std::printf("with %s registers:\n", registers);
        checkAllGolden(device, folder);
        std::filesystem::remove_all(folder);
    }
}

void checkNano(const GpuDevice &device, const std::filesystem::path &kernels, const std::filesystem::path &folder) {
    const auto executor = load(device, kernels, folder);
    // The best instruction set may round activations to bf16; this one has the same bits as every other with FMA.
    const auto cpu = makeCpuExecutor(Model::open(folder), {.instructionSet = "avx2"}, [](double) {});
    const auto sequences = golden::readSequences(std::filesystem::path(MONOKERNEL_GOLDEN) / "nano.golden.json");
    for (size_t s = 0; s < sequences.size(); s++) {
        const golden::Sequence &expected = sequences[s];
        const auto count = static_cast<uint32_t>(expected.greedy.size());
        const golden::Output output = golden::run(*executor, golden::greedyJob(expected.prompt, count));
        const golden::Output onCpu = golden::run(*cpu, golden::greedyJob(expected.prompt, count));
        double worst = 0.0;
        for (size_t i = 0; i < std::min(output.logprobs.size(), onCpu.logprobs.size()); i++) {
            worst = std::max(worst, std::abs(static_cast<double>(output.logprobs[i] - onCpu.logprobs[i])));
        }
        expect(output.tokens == onCpu.tokens,
               "nano sequence " + std::to_string(s) + ": " + std::to_string(output.tokens.size()) +
                   " tokens as the CPU engine's, log-probabilities within " + std::to_string(worst));
        SequenceJob sampled = golden::greedyJob(expected.prompt, count);
        sampled.sampling = {
            .temperature = 0.8f, .topK = s % 2 == 0 ? 0u : 40u, .topP = s % 3 == 0 ? 1.0f : 0.9f, .seed = s + 1};
        expect(golden::run(*executor, sampled).tokens == golden::run(*cpu, sampled).tokens,
               "nano sequence " + std::to_string(s) + " sampled with seed " + std::to_string(s + 1) +
                   " as the CPU engine does");
    }
}

/// Requests of which about half are cancelled at a random moment; each must give a beginning of its full answer, and
/// the other slot must stay valid.
void checkCancellations(const GpuDevice &device, const std::filesystem::path &kernels, int requests) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / "laneformer-delay2";
    const golden::Folder expected = golden::readFolder(folder);
    const auto executor = load(device, kernels, folder);
    const uint32_t count = 200;
    const golden::Output full = golden::run(*executor, golden::greedyJob(expected.prompt, count));
    std::mt19937 random(7);
    int cancelled = 0, wrong = 0;
    for (int i = 0; i < requests; i++) {
        std::atomic<bool> cancel = false;
        SequenceJob job = golden::greedyJob(expected.prompt, count);
        job.slot = static_cast<uint32_t>(i % 2);
        job.cancel = &cancel;
        const uint32_t stopAfter = random() % (2 * count);
        golden::Output output;
        output.result = executor->run(job, [&](GeneratedToken token) {
            output.tokens.push_back(token.token);
            output.logprobs.push_back(token.logprob);
            if (output.tokens.size() == stopAfter) {
                cancel = true;
            }
        });
        const bool prefix = output.tokens.size() <= full.tokens.size() &&
                            std::equal(output.tokens.begin(), output.tokens.end(), full.tokens.begin()) &&
                            std::equal(output.logprobs.begin(), output.logprobs.end(), full.logprobs.begin());
        wrong += prefix && output.result.generated == output.tokens.size() ? 0 : 1;
        cancelled += output.result.stop == StopReason::cancelled ? 1 : 0;
    }
    expect(wrong == 0, std::to_string(requests) + " requests, " + std::to_string(cancelled) + " cancelled, " +
                           std::to_string(wrong) + " with a wrong token");
    expect(cancelled > requests / 4, "cancellation takes effect");
}

/// Random models of odd shapes and all sizes of heads beside a float64 reference.
void checkRandom(const GpuDevice &device, const std::filesystem::path &kernels, uint32_t count) {
    golden::RandomModels models{[&](const Model &model) { return load(device, model, {kernels, 1, 0}); }, 300};
    uint32_t wrong = 0;
    for (uint32_t seed = 0; seed < count; seed++) {
        const std::string trouble = models.troubleOf(seed);
        wrong += trouble.empty() ? 0 : 1;
        if (!trouble.empty()) {
            expect(false, trouble);
        }
    }
    expect(wrong == 0 && models.leftOut < count / 4,
           std::to_string(count) + " random models: " + std::to_string(wrong) + " wrong, " +
               std::to_string(models.leftOut) + " too wide, the others within " + std::to_string(models.worst));
}

/// One model on several devices: a Laneformer's logits are the same bits as on one of them, and every family's are the
/// reference's.
void checkShared(const std::function<std::vector<std::unique_ptr<GpuDriver>>(uint32_t count)> &open, uint32_t count,
                 const std::filesystem::path &kernels, const std::string &name) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / name;
    const golden::Folder expected = golden::readFolder(folder);
    const Model model = Model::open(folder);
    const std::string label = name + " on " + std::to_string(count);
    const auto logits = [&](uint32_t devices) {
        const auto executor = makeGpuExecutor(open(devices), model, {kernels, 2, 0}, {});
        return executor->logits(1, expected.prompt, expected.positions, 16);
    };
    const std::vector<float> shared = logits(count);
    const double worst = golden::worstDifference(shared, expected);
    expect(worst < golden::gpuTolerance, label + " logits: worst difference " + std::to_string(worst));
    if (model.spec().laneCount > 1) {
        expect(shared == logits(1), label + " the same bits as on one");
    }
    checkGreedy(*makeGpuExecutor(open(count), model, {kernels, 2, 0}, {}), expected, label);
}

void checkHalves(const GpuDevice &device, const std::filesystem::path &kernels) {
    const auto halves = [&](uint32_t count) {
        std::vector<std::unique_ptr<GpuDriver>> drivers;
        for (uint32_t i = 0; i < count; i++) {
            drivers.push_back(std::make_unique<bench::PartOfDevice>(std::make_unique<bench::DeviceAs>(device), 2));
        }
        return drivers;
    };
    for (const std::string &name : golden::folderNames()) {
        checkShared(halves, 2, kernels, name);
    }
}

void checkDevices(std::span<const GpuDevice> devices, const std::filesystem::path &kernels) {
    const auto open = [&](uint32_t count) {
        std::vector<std::unique_ptr<GpuDriver>> drivers;
        for (const GpuDevice &device : devices.first(count)) {
            drivers.push_back(openGpuDriver(device));
        }
        return drivers;
    };
    for (uint32_t count = 2; count <= devices.size() && count <= maxGpuDevices; count *= 2) {
        for (const std::string &name : golden::folderNames()) {
            if (count == 2 || name.starts_with("laneformer")) { // the others have four key and value heads
                checkShared(open, count, kernels, name);
            }
        }
    }
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) {
        std::fprintf(stderr,
                     "usage: gpu_check KERNEL_FOLDER [golden|random|starved|nano FOLDER|cancel|small|halves|devices|"
                     "ampere|card]...\n");
        return 2;
    }
    try {
        const std::vector<GpuDevice> devices = bench::devicesOfOneKind();
        GpuDevice device = devices.front();
        for (int i = 2; i < argc; i++) {
            const std::string what = argv[i];
            if (what == "golden") {
                checkAllGolden(device, argv[1]);
            } else if (what == "starved") {
                checkStarved(device, argv[1]);
            } else if (what == "nano" && i + 1 < argc) {
                checkNano(device, argv[1], argv[++i]);
            } else if (what == "cancel") {
                checkCancellations(device, argv[1], 1000);
            } else if (what == "halves") {
                checkHalves(device, argv[1]);
            } else if (what == "devices") {
                checkDevices(devices, argv[1]);
            } else if (what == "ampere" || what == "card") {
                device = what == "card" ? bench::asGraphicsCard(devices.front()) : bench::asAmpere(devices.front());
                std::printf("as %s, %u multiprocessors, %u bytes of shared memory:\n", device.target.c_str(),
                            device.computeUnits, device.sharedBytes);
            } else if (what == "random") {
                checkRandom(device, argv[1], 100);
            } else if (what == "small") {
                checkGolden(device, argv[1], "laneformer-delay2");
            } else {
                std::fprintf(stderr, "unknown check %s\n", what.c_str());
                return 2;
            }
        }
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
