#include "binding/probe.h"

#include "binding/errors.h"
#include "binding/machine.h"
#include "exec/cpu/cpu_executor.h"

#include <charconv>
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

/// The first argument, or 0.
uint32_t workersOf(const Napi::CallbackInfo &info) {
    const std::string text = info.Length() > 0 && info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    uint32_t workers = 0;
    std::from_chars(text.data(), text.data() + text.size(), workers);
    return workers;
}

} // namespace

Napi::Value probe(const Napi::CallbackInfo &info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const Napi::Env env = info.Env();
        std::string reason;
        Napi::Object result = Napi::Object::New(env);
        result.Set("version", Napi::String::New(env, MONOKERNEL_VERSION));
        result.Set("instructionSets", instructionSets(env));
        result.Set("cpu", cpuToJs(env, workersOf(info)));
        result.Set("gpuDevices", gpusToJs(env, reason));
        result.Set("gpuReason", Napi::String::New(env, reason));
        return result;
    });
}

} // namespace monokernel::binding
