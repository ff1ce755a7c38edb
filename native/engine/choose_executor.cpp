#include "engine/choose_executor.h"

#include "engine/gpu_shares.h"
#include "exec/cpu/cpu_executor.h"
#ifdef MONOKERNEL_GPU
#include "exec/gpu/calibrated_homes.h"
#include "exec/gpu/gpu_executor.h"
#include "topology/calibration_file.h"
#endif
#include "model/model_error.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

namespace monokernel {
namespace {

ChosenExecutor makeCpu(const Model &model, const EngineOptions &options, std::string reason,
                       const std::function<void(double)> &progress) {
    PrecisionChoice precision = choosePrecision(options.precision, weightSizes(model), availableMemory());
    auto executor = makeCpuExecutor(model,
                                    {.threads = options.threads,
                                     .slots = options.slots,
                                     .contextLength = options.contextLength,
                                     .instructionSet = options.instructionSet,
                                     .int8 = precision.int8},
                                    progress);
    return {std::move(executor), std::move(reason), std::move(precision)};
}

#ifdef MONOKERNEL_GPU

const char *targetName(Device device) {
    return device == Device::gfx942 ? "gfx942" : device == Device::sm90 ? "sm_90" : "sm_80";
}

ChosenExecutor makeGpu(std::span<const GpuDevice> devices, uint32_t lanesADevice, const Model &model,
                       const EngineOptions &options, const std::function<void(double)> &progress) {
    const GpuDevice &device = devices.front();
    const std::string count = devices.size() > 1 ? std::to_string(devices.size()) + " x " : "";
    std::string said;
    const GpuOptions gpuOptions{.kernelFolder = options.kernelFolder,
                                .slots = options.slots,
                                .contextLength = options.contextLength,
                                .lanesADevice = lanesADevice,
                                .pageHomes = calibratedHomes(devices, calibrationFolder(), options.kernelFolder, said)};
    const bool refused = options.precision == Precision::int8;
    return {makeGpuExecutor(devices, model, gpuOptions, progress),
            "found " + count + device.name + " (" + device.target + ")" + (said.empty() ? "" : "; " + said),
            {false, refused ? "int8 is only for the CPU engine; " + device.name + " runs the weights as bf16"
                            : "a GPU runs the weights as bf16"}};
}

/// On GPUs of one kind, those that are as the first one of it; nothing if there are none.
std::optional<ChosenExecutor> tryTarget(Device kind, std::vector<GpuDevice> devices, const Model &model,
                                        const EngineOptions &options, const std::function<void(double)> &progress) {
    std::erase_if(devices, [&](const GpuDevice &device) { return device.target != targetName(kind); });
    std::erase_if(devices, [name = devices.empty() ? "" : devices.front().name](const GpuDevice &device) {
        return device.name != name; // the slowest of them would set the pace
    });
    std::optional<ChosenExecutor> chosen;
    const GpusFound found{std::min<size_t>(devices.size(), maxGpuDevices),
                          std::ranges::all_of(devices, [](const GpuDevice &device) { return device.linked; })};
    makeFirstThatFits(model.spec(), found, [&](const GpuShare &share) {
        chosen = makeGpu(std::span(devices).first(share.devices), share.lanesADevice, model, options, progress);
    });
    return chosen;
}

/// On the first kind of GPU that can hold the model; otherwise nothing, and `why` says what was found and why it was
/// not used.
std::optional<ChosenExecutor> tryGpus(const Model &model, const EngineOptions &options,
                                      const std::function<void(double)> &progress, std::string &why) {
    const std::vector<GpuDevice> devices = findGpuDevices(why);
    for (const Device kind : {Device::gfx942, Device::sm90, Device::sm80}) {
        try {
            if (auto chosen = tryTarget(kind, devices, model, options, progress)) {
                return chosen;
            }
        } catch (const ExecutionError &error) {
            why += std::string("; ") + targetName(kind) + ": " + error.what();
        } catch (const ModelError &error) {
            why += std::string("; ") + targetName(kind) + ": " + error.what();
        }
    }
    return std::nullopt;
}

ChosenExecutor makeNamedGpu(const Model &model, const EngineOptions &options,
                            const std::function<void(double)> &progress) {
    std::string why;
    if (auto chosen = tryTarget(options.device, findGpuDevices(why), model, options, progress)) {
        return std::move(*chosen);
    }
    throw std::invalid_argument(std::string("no ") + targetName(options.device) + " device can be used (" + why +
                                "); choose another engine, or auto");
}

#else

std::optional<ChosenExecutor> tryGpus(const Model &, const EngineOptions &, const std::function<void(double)> &,
                                      std::string &why) {
    why = "built without the GPU executor";
    return std::nullopt;
}

ChosenExecutor makeNamedGpu(const Model &, const EngineOptions &, const std::function<void(double)> &) {
    throw std::invalid_argument("this build has no GPU executor; choose the CPU, or auto");
}

#endif

} // namespace

ChosenExecutor chooseExecutor(const Model &model, const EngineOptions &options,
                              const std::function<void(double)> &progress) {
    switch (options.device) {
    case Device::gfx942:
    case Device::sm90:
    case Device::sm80:
        return makeNamedGpu(model, options, progress);
    case Device::cpu:
        return makeCpu(model, options, "the CPU was asked for", progress);
    case Device::automatic:
        break;
    }
    std::string why;
    if (auto gpu = tryGpus(model, options, progress, why)) {
        return std::move(*gpu);
    }
    return makeCpu(model, options, "no usable GPU: " + why, progress);
}

} // namespace monokernel
