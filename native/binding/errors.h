#pragma once

#include <napi.h>

#include <exception>
#include <stdexcept>
#include <string>

namespace monokernel::binding {

/// An error as JavaScript shall see it: a stable code and a message for people.
class CodedError : public std::runtime_error {
public:
    CodedError(std::string code, const std::string &message) : std::runtime_error(message), code_(std::move(code)) {}
    const std::string &code() const { return code_; }

private:
    std::string code_;
};

/// The exception in flight as a coded error; call it in a catch block only.
CodedError currentError();

Napi::Error makeError(Napi::Env env, const std::string &code, const std::string &message);

/// Runs the body of an entry from JavaScript: whatever C++ throws becomes a pending JavaScript exception, none crosses.
template <typename Body> Napi::Value guarded(Napi::Env env, Body body) {
    try {
        return body();
    } catch (...) {
        const CodedError error = currentError();
        makeError(env, error.code(), error.what()).ThrowAsJavaScriptException();
        return env.Undefined();
    }
}

} // namespace monokernel::binding
