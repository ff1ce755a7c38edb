#include "engine/request_check.h"

#include <cmath>

namespace monokernel {
namespace {

std::optional<std::string> findTokenProblem(std::span<const int32_t> tokens, uint32_t vocabularySize) {
    for (size_t index = 0; index < tokens.size(); index++) {
        if (static_cast<uint32_t>(tokens[index]) >= vocabularySize) { // negative ones become large
            return "prompt token " + std::to_string(index) + " is " + std::to_string(tokens[index]) +
                   ", outside the model's vocabulary of " + std::to_string(vocabularySize) +
                   "; the tokenizer belongs to another model";
        }
    }
    return std::nullopt;
}

std::optional<std::string> findSamplingProblem(const Sampling &sampling) {
    if (!std::isfinite(sampling.temperature) || sampling.temperature < 0.0f) {
        return "temperature is " + std::to_string(sampling.temperature) + "; it must be 0 (greedy) or more";
    }
    if (!(sampling.topP > 0.0f && sampling.topP <= 1.0f)) {
        return "topP is " + std::to_string(sampling.topP) + "; it must be above 0 and at most 1";
    }
    return std::nullopt;
}

} // namespace

std::optional<std::string> findRequestProblem(const GenerateRequest &request, uint32_t vocabularySize,
                                              uint32_t contextLength) {
    if (request.tokens.empty()) {
        return "the prompt is empty; give at least one token";
    }
    if (request.tokens.size() > contextLength) {
        return "the prompt has " + std::to_string(request.tokens.size()) + " tokens, the context holds " +
               std::to_string(contextLength) + "; shorten the prompt";
    }
    if (!(request.minProbability >= 0.0f && request.minProbability <= 1.0f)) {
        return "minProbability is " + std::to_string(request.minProbability) + "; it must be from 0 to 1";
    }
    if (auto problem = findTokenProblem(request.tokens, vocabularySize)) {
        return problem;
    }
    return findSamplingProblem(request.sampling);
}

} // namespace monokernel
