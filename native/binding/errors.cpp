#include "binding/errors.h"

#include "exec/executor.h"
#include "model/model_error.h"

#include <new>

namespace monokernel::binding {

CodedError currentError() {
    try {
        throw;
    } catch (const CodedError &error) {
        return error;
    } catch (const ModelError &error) {
        return {modelErrorName(error.code()), error.what()};
    } catch (const std::invalid_argument &error) {
        return {"optionInvalid", error.what()};
    } catch (const ExecutionError &error) {
        return {"executionFailed", error.what()};
    } catch (const std::bad_alloc &) {
        return {"memory", "out of memory; close other programs, or choose a smaller model or context"};
    } catch (const std::exception &error) {
        return {"internal", error.what()};
    } catch (...) {
        return {"internal", "an exception of unknown type"};
    }
}

Napi::Error makeError(Napi::Env env, const std::string &code, const std::string &message) {
    Napi::Error error = Napi::Error::New(env, message);
    error.Set("code", Napi::String::New(env, code));
    return error;
}

} // namespace monokernel::binding
