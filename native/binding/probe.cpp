#include "binding/probe.h"

#include "binding/errors.h"
#include "exec/cpu/cpu_executor.h"
#ifdef MONOKERNEL_GPU
#include "exec/gpu/gpu_executor.h"
#endif

#include <string>

namespace monokernel::binding {
namespace {

Napi::Array instructionSets(Napi::Env env) {
    Napi::Array names = Napi::Array::New(env);
    for (const std::string &name : cpuInstructionSets()) {
        names.Set(names.Length(), Napi::String::New(env, name));
    }
    return names;
}

#ifdef MONOKERNEL_GPU

Napi::Array gpuDevices(Napi::Env env, std::string &reason) {
    Napi::Array devices = Napi::Array::New(env);
    for (const GpuDevice &device : findGpuDevices(reason)) {
        Napi::Object entry = Napi::Object::New(env);
        entry.Set("target", Napi::String::New(env, device.target));
        entry.Set("name", Napi::String::New(env, device.name));
        entry.Set("computeUnits", Napi::Number::New(env, device.computeUnits));
        entry.Set("memoryBytes", Napi::Number::New(env, static_cast<double>(device.memoryBytes)));
        devices.Set(devices.Length(), entry);
    }
    return devices;
}

#else

Napi::Array gpuDevices(Napi::Env env, std::string &reason) {
    reason = "built without the GPU executor";
    return Napi::Array::New(env);
}

#endif

} // namespace

Napi::Value probe(const Napi::CallbackInfo &info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const Napi::Env env = info.Env();
        std::string reason;
        Napi::Object result = Napi::Object::New(env);
        result.Set("version", Napi::String::New(env, MONOKERNEL_VERSION));
        result.Set("instructionSets", instructionSets(env));
        result.Set("gpuDevices", gpuDevices(env, reason));
        result.Set("gpuReason", Napi::String::New(env, reason));
        return result;
    });
}

} // namespace monokernel::binding
