#include "binding/engine_class.h"

#include "binding/arguments.h"
#include "binding/errors.h"

#include <utility>

namespace monokernel::binding {
namespace {

/// What the addon keeps for each environment (main thread, each worker).
struct EnvironmentData {
    Napi::FunctionReference constructor;
    std::shared_ptr<Session> unwrapped; ///< for the constructor call under way
};

Napi::Object wrap(Napi::Env env, std::shared_ptr<Session> session) {
    auto *data = env.GetInstanceData<EnvironmentData>();
    data->unwrapped = std::move(session);
    const Napi::Object object = data->constructor.New({});
    data->unwrapped.reset();
    return object;
}

} // namespace

Napi::Function EngineClass::define(Napi::Env env) {
    const Napi::Function constructor = DefineClass(
        env, "Engine",
        {StaticMethod("load", &EngineClass::load), InstanceMethod("generate", &EngineClass::generate),
         InstanceMethod("cancel", &EngineClass::cancel), InstanceMethod("statistics", &EngineClass::statistics),
         InstanceMethod("dispose", &EngineClass::dispose), InstanceAccessor("facts", &EngineClass::facts, nullptr)});
    auto data = std::make_unique<EnvironmentData>();
    data->constructor = Napi::Persistent(constructor);
    env.SetInstanceData(data.release()); // the environment deletes it
    return constructor;
}

EngineClass::EngineClass(const Napi::CallbackInfo &info) : ObjectWrap(info) {
    auto *data = info.Env().GetInstanceData<EnvironmentData>();
    session_ = std::exchange(data->unwrapped, nullptr);
    if (!session_) {
        makeError(info.Env(), "optionInvalid",
                  "Engine has no public constructor; use await Engine.load(folder, options)")
            .ThrowAsJavaScriptException();
    }
}

EngineClass::~EngineClass() {
    if (session_) {
        session_->close();
    }
}

Napi::Value EngineClass::load(const Napi::CallbackInfo &info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        return Session::load(info.Env(), readPath(info[0], "folder"), readEngineOptions(info[1]),
                             readFunction(info[2], "onProgress"), wrap);
    });
}

Napi::Value EngineClass::generate(const Napi::CallbackInfo &info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const uint32_t id = session_->generate(readGenerateRequest(info[0], info[1]), info.This().As<Napi::Object>(),
                                               readFunction(info[2], "onTokens"), readFunction(info[3], "onEnd"));
        return Napi::Number::New(info.Env(), id);
    });
}

Napi::Value EngineClass::cancel(const Napi::CallbackInfo &info) {
    if (info[0].IsNumber()) {
        session_->cancel(info[0].As<Napi::Number>().Uint32Value());
    }
    return info.Env().Undefined();
}

Napi::Value EngineClass::statistics(const Napi::CallbackInfo &info) {
    return guarded(info.Env(), [&]() -> Napi::Value { return toJs(info.Env(), session_->statistics()); });
}

Napi::Value EngineClass::facts(const Napi::CallbackInfo &info) { return toJs(info.Env(), session_->facts()); }

Napi::Value EngineClass::dispose(const Napi::CallbackInfo &) { return session_->dispose(); }

} // namespace monokernel::binding
