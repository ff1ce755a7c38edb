#include "engine/choose_executor.h"

#include "exec/cpu/cpu_executor.h"
#ifdef MONOKERNEL_GPU
#include "exec/gpu/gpu_executor.h"
#endif
#include "model/model_error.h"

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

const char *targetName(Device device) { return device == Device::gfx942 ? "gfx942" : "sm_90"; }

ChosenExecutor makeGpu(const GpuDevice &device, const Model &model, const EngineOptions &options,
                       const std::function<void(double)> &progress) {
    const GpuOptions gpuOptions{
        .kernelFolder = options.kernelFolder, .slots = options.slots, .contextLength = options.contextLength};
    const bool refused = options.precision == Precision::int8;
    return {makeGpuExecutor(device, model, gpuOptions, progress),
            "found " + device.name + " (" + device.target + ")",
            {false, refused ? "int8 is only for the CPU engine; " + device.name + " runs the weights as bf16"
                            : "a GPU runs the weights as bf16"}};
}

/// The first usable GPU; otherwise nothing, and `why` says what was found and why it was not used.
std::optional<ChosenExecutor> tryGpus(const Model &model, const EngineOptions &options,
                                      const std::function<void(double)> &progress, std::string &why) {
    for (const GpuDevice &device : findGpuDevices(why)) {
        try {
            return makeGpu(device, model, options, progress);
        } catch (const ExecutionError &error) {
            why += "; " + device.name + ": " + error.what();
        } catch (const ModelError &error) {
            why += "; " + device.name + ": " + error.what();
        }
    }
    return std::nullopt;
}

ChosenExecutor makeNamedGpu(const Model &model, const EngineOptions &options,
                            const std::function<void(double)> &progress) {
    const std::string target = targetName(options.device);
    std::string why;
    for (const GpuDevice &device : findGpuDevices(why)) {
        if (device.target == target) {
            return makeGpu(device, model, options, progress);
        }
    }
    throw std::invalid_argument("no " + target + " device can be used (" + why + "); choose another engine, or auto");
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
