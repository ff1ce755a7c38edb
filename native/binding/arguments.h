#pragma once

#include "engine/engine.h"

#include <napi.h>

#include <filesystem>

namespace monokernel::binding {

/// What JavaScript passes, checked. All throw CodedError("optionInvalid") that names the argument and what it must be.

/// An absolute or relative path in UTF-8.
std::filesystem::path readPath(const Napi::Value &value, const char *name);

Napi::Function readFunction(const Napi::Value &value, const char *name);

/// {device, precision, threads, slots, contextLength, instructionSet, kernelFolder}, all optional.
EngineOptions readEngineOptions(const Napi::Value &value);

/// The prompt as Int32Array or number[], and {maxTokens, stopTokens, temperature, topK, topP, seed, speculation,
/// minProbability}, all optional. The tokens are copied.
GenerateRequest readGenerateRequest(const Napi::Value &tokens, const Napi::Value &options);

} // namespace monokernel::binding
