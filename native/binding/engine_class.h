#pragma once

#include "binding/session.h"

#include <napi.h>

#include <memory>

namespace monokernel::binding {

/// The JavaScript class `Engine`: static load(folder, options, onProgress), and on an instance generate(tokens,
/// options, onTokens, onEnd), cancel(id), statistics(), dispose() and the property `facts`. Checks what it is given, no
/// policy.
class EngineClass : public Napi::ObjectWrap<EngineClass> {
public:
    /// Defines the class in this environment and returns its constructor.
    static Napi::Function define(Napi::Env env);

    /// Called from Session only; JavaScript gets its instances from load().
    explicit EngineClass(const Napi::CallbackInfo &info);
    ~EngineClass() override;
    EngineClass(const EngineClass &) = delete;
    EngineClass &operator=(const EngineClass &) = delete;

private:
    static Napi::Value load(const Napi::CallbackInfo &info);
    Napi::Value generate(const Napi::CallbackInfo &info);
    Napi::Value cancel(const Napi::CallbackInfo &info);
    Napi::Value statistics(const Napi::CallbackInfo &info);
    Napi::Value facts(const Napi::CallbackInfo &info);
    Napi::Value dispose(const Napi::CallbackInfo &info);

    std::shared_ptr<Session> session_;
};

} // namespace monokernel::binding
