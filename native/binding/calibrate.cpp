#include "binding/calibrate.h"

#include "binding/arguments.h"
#include "binding/errors.h"
#ifdef MONOKERNEL_GPU
#include "exec/gpu/driver.h"
#include "exec/gpu/page_calibration.h"
#endif

#include <filesystem>
#include <string>

namespace monokernel::binding {
namespace {

#ifdef MONOKERNEL_GPU

/// Measures one device and keeps the result; throws with the reason when either cannot be done.
std::string calibrateDevice(const GpuDevice &device, const std::filesystem::path &kernels) {
    const std::filesystem::path folder = calibrationFolder();
    if (folder.empty()) {
        throw ExecutionError("there is no folder to keep it in: set XDG_CACHE_HOME or HOME");
    }
    const auto driver = openGpuDriver(device);
    const Calibration found =
        calibratePages(*driver, deviceShape(device.target, device.computeUnits), {.kernelFolder = kernels});
    writeCalibration(folder, found);
    return found.reason;
}

Napi::Array calibrateAll(Napi::Env env, const std::filesystem::path &kernels) {
    Napi::Array results = Napi::Array::New(env);
    std::string why;
    for (const GpuDevice &device : findGpuDevices(why)) {
        Napi::Object result = Napi::Object::New(env);
        result.Set("gpu", Napi::Number::New(env, device.index));
        result.Set("name", Napi::String::New(env, device.name));
        bool kept = true;
        std::string reason;
        try {
            reason = calibrateDevice(device, kernels);
        } catch (const std::exception &error) {
            kept = false;
            reason = error.what();
        }
        result.Set("kept", Napi::Boolean::New(env, kept));
        result.Set("reason", Napi::String::New(env, reason));
        results.Set(results.Length(), result);
    }
    return results;
}

#else

Napi::Array calibrateAll(Napi::Env env, const std::filesystem::path &) { return Napi::Array::New(env); }

#endif

} // namespace

Napi::Value calibrate(const Napi::CallbackInfo &info) {
    return guarded(info.Env(),
                   [&]() -> Napi::Value { return calibrateAll(info.Env(), readPath(info[0], "kernelFolder")); });
}

} // namespace monokernel::binding
