#include "binding/results.h"

#include <algorithm>

namespace monokernel::binding {
namespace {

constexpr double millisecondsPerSecond = 1000.0;

const char *familyName(Family family) {
    switch (family) {
    case Family::laneformer:
        return "laneformer";
    case Family::llama:
        return "llama";
    case Family::qwen2:
        return "qwen2";
    case Family::qwen3:
        return "qwen3";
    }
    return "unknown";
}

const char *stopName(StopReason stop) {
    switch (stop) {
    case StopReason::stopToken:
        return "stopToken";
    case StopReason::maxTokens:
        return "maxTokens";
    case StopReason::contextFull:
        return "contextFull";
    case StopReason::minProbability:
        return "minProbability";
    case StopReason::cancelled:
        return "cancelled";
    }
    return "unknown";
}

/// Tokens after the first, which came with the prefill, per second of decoding.
double decodeRate(const SequenceResult &sequence) {
    return sequence.generated > 1 && sequence.decodeSeconds > 0.0 ? (sequence.generated - 1) / sequence.decodeSeconds
                                                                  : 0.0;
}

template <typename Number> void setNumber(Napi::Object &object, const char *name, Number value) {
    object.Set(name, Napi::Number::New(object.Env(), static_cast<double>(value)));
}

void setText(Napi::Object &object, const char *name, const std::string &value) {
    object.Set(name, Napi::String::New(object.Env(), value));
}

} // namespace

Facts factsOf(const Engine &engine) {
    return {engine.spec(),
            engine.contextLength(),
            engine.description(),
            engine.deviceReason(),
            engine.gpuCount(),
            engine.int8(),
            engine.precisionReason(),
            engine.speculates(),
            engine.statistics().memoryBytes};
}

Napi::Object toJs(Napi::Env env, const Facts &facts) {
    Napi::Object object = Napi::Object::New(env);
    setText(object, "family", familyName(facts.spec.family));
    setNumber(object, "vocabularySize", facts.spec.vocabularySize);
    setNumber(object, "contextLength", facts.contextLength);
    object.Set("endTokens", toJs(env, facts.spec.endTokens));
    setText(object, "description", facts.description);
    setText(object, "deviceReason", facts.deviceReason);
    setNumber(object, "gpuCount", facts.gpuCount);
    setText(object, "precision", facts.int8 ? "int8" : "stored");
    setText(object, "precisionReason", facts.precisionReason);
    object.Set("speculates", Napi::Boolean::New(env, facts.speculates));
    setNumber(object, "memoryBytes", facts.memoryBytes);
    return object;
}

Napi::Object toJs(Napi::Env env, const GenerateResult &result) {
    const SequenceResult &sequence = result.sequence;
    Napi::Object object = Napi::Object::New(env);
    setNumber(object, "prefilled", sequence.prefilled);
    setNumber(object, "reused", result.reused);
    setNumber(object, "generated", sequence.generated);
    setNumber(object, "drafted", sequence.drafted);
    setNumber(object, "accepted", sequence.accepted);
    setNumber(object, "queued", result.queueSeconds * millisecondsPerSecond);
    setNumber(object, "timeToFirstToken", sequence.timeToFirstToken * millisecondsPerSecond);
    setNumber(object, "decodeTime", sequence.decodeSeconds * millisecondsPerSecond);
    setNumber(object, "decodeRate", decodeRate(sequence));
    setText(object, "stop", stopName(sequence.stop));
    return object;
}

Napi::Object toJs(Napi::Env env, const EngineStatistics &statistics) {
    Napi::Object object = Napi::Object::New(env);
    setNumber(object, "requests", statistics.requests);
    setNumber(object, "cancelled", statistics.cancelled);
    setNumber(object, "failed", statistics.failed);
    setNumber(object, "prefilledTokens", statistics.prefilledTokens);
    setNumber(object, "reusedTokens", statistics.reusedTokens);
    setNumber(object, "generatedTokens", statistics.generatedTokens);
    setNumber(object, "draftedTokens", statistics.draftedTokens);
    setNumber(object, "acceptedTokens", statistics.acceptedTokens);
    setNumber(object, "prefillTime", statistics.prefillSeconds * millisecondsPerSecond);
    setNumber(object, "decodeTime", statistics.decodeSeconds * millisecondsPerSecond);
    setNumber(object, "memoryBytes", statistics.memoryBytes);
    return object;
}

Napi::Int32Array toJs(Napi::Env env, const std::vector<int32_t> &values) {
    Napi::Int32Array array = Napi::Int32Array::New(env, values.size());
    if (!array.IsEmpty()) {
        std::ranges::copy(values, array.Data());
    }
    return array;
}

Napi::Float32Array toJs(Napi::Env env, const std::vector<float> &values) {
    Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
    if (!array.IsEmpty()) {
        std::ranges::copy(values, array.Data());
    }
    return array;
}

} // namespace monokernel::binding
