#pragma once

#include "engine/engine.h"

#include <napi.h>

#include <string>
#include <vector>

namespace monokernel::binding {

/// What does not change while an engine lives.
struct Facts {
    ModelSpec spec;
    uint32_t contextLength = 0;
    std::string description, deviceReason;
    uint32_t gpuCount = 0;
    bool int8 = false;
    std::string precisionReason;
    bool speculates = false;
    uint64_t memoryBytes = 0;
};

Facts factsOf(const Engine &engine);

/// {family, vocabularySize, contextLength, endTokens, description, deviceReason, gpuCount, precision, precisionReason,
/// speculates, memoryBytes}
Napi::Object toJs(Napi::Env env, const Facts &facts);

/// {prefilled, reused, generated, drafted, accepted, queued, timeToFirstToken, decodeTime, decodeRate, stop};
/// milliseconds, tokens/s.
Napi::Object toJs(Napi::Env env, const GenerateResult &result);

/// {requests, cancelled, failed, prefilledTokens, reusedTokens, generatedTokens, draftedTokens, acceptedTokens,
/// prefillTime, decodeTime, memoryBytes}; milliseconds.
Napi::Object toJs(Napi::Env env, const EngineStatistics &statistics);

/// Copied, since Electron's V8 allows no memory of ours under an ArrayBuffer.
Napi::Int32Array toJs(Napi::Env env, const std::vector<int32_t> &values);
Napi::Float32Array toJs(Napi::Env env, const std::vector<float> &values);

} // namespace monokernel::binding
