#include "binding/calibrate.h"
#include "binding/engine_class.h"
#include "binding/probe.h"

#include <napi.h>

namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
    exports.Set("Engine", monokernel::binding::EngineClass::define(env));
    exports.Set("calibrate", Napi::Function::New(env, monokernel::binding::calibrate, "calibrate"));
    exports.Set("probe", Napi::Function::New(env, monokernel::binding::probe, "probe"));
    return exports;
}

} // namespace

NODE_API_MODULE(monokernel, initialise)
