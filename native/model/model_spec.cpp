#include "model/model_spec.h"

#include "model/config_file.h"
#include "model/family.h"
#include "model/model_error.h"
#include "model/quote.h"
#include "model/rope.h"

#include <algorithm>

namespace monokernel {

namespace {

constexpr uint32_t largestVocabulary = 1u << 24;

Family readFamily(const ConfigObject &config) {
    const std::string type = config.text("model_type");
    if (type == "laneformer_tp" || type == "laneformer") {
        return Family::laneformer;
    }
    if (type == "llama") {
        return Family::llama;
    }
    if (type == "qwen2") {
        return Family::qwen2;
    }
    if (type == "qwen3") {
        return Family::qwen3;
    }
    throw ModelError(ModelErrorCode::familyUnknown,
                     config.name() + ": model_type " + quote(type) +
                         " is not supported; laneformer_tp, llama, qwen2 and qwen3 are. Choose another model.");
}

uint32_t readHeadDim(const ConfigObject &config, const ModelSpec &spec) {
    constexpr uint32_t most = 1024;
    uint32_t headDim = 0;
    if (config.has("head_dim")) {
        headDim = config.count("head_dim", 1, most);
    } else if (spec.family == Family::qwen3) {
        headDim = 128;
    } else if (spec.hiddenSize % spec.headCount != 0 || spec.hiddenSize / spec.headCount > most) {
        config.malformed("hidden_size",
                         "must be a multiple of num_attention_heads (at most 1024 times it), or head_dim "
                         "must be given");
    } else {
        headDim = spec.hiddenSize / spec.headCount;
    }
    if (headDim % 8 != 0) {
        config.unsupported("head_dim", std::to_string(headDim) + " is not a multiple of 8");
    }
    return headDim;
}

/// What all families have. The bounds keep every product of these numbers far inside 64 bits.
void readDimensions(const ConfigObject &config, ModelSpec &spec) {
    spec.vocabularySize = config.count("vocab_size", 1, largestVocabulary);
    spec.hiddenSize = config.count("hidden_size", 1, 1u << 18);
    spec.layerCount = config.count("num_hidden_layers", 1, 4096);
    spec.headCount = config.count("num_attention_heads", 1, 1u << 13);
    spec.kvHeadCount = config.count("num_key_value_heads", 1, spec.headCount, spec.headCount);
    if (spec.headCount % spec.kvHeadCount != 0) {
        config.malformed("num_attention_heads", "must be a multiple of num_key_value_heads");
    }
    spec.headDim = readHeadDim(config, spec);
    spec.ffnSize = config.count("intermediate_size", 1, 1u << 22);
    spec.maxPositions = config.count("max_position_embeddings", 1, 1u << 24);
    const char *const epsilon = config.has("norm_eps") ? "norm_eps" : "rms_norm_eps";
    spec.normEpsilon = static_cast<float>(config.number(epsilon, 0.0, 1.0, 1e-6));
    spec.tiedEmbeddings = config.boolean("tie_word_embeddings", false);
}

void refuseQuantized(const ConfigObject &config) {
    if (config.has("quantization_config")) {
        config.unsupported("quantization_config", "is there: quantised checkpoints are not supported; choose the same "
                                                  "model in bf16, f16 or f32");
    }
}

void addEndToken(const ConfigObject &config, const JsonValue &value, ModelSpec &spec) {
    const int64_t *const token = value.integer();
    if (token == nullptr || *token < 0) {
        config.malformed("eos_token_id", "must be a token id or an array of token ids");
    }
    if (*token >= spec.vocabularySize) {
        throw ModelError(ModelErrorCode::vocabularyMismatch,
                         config.name() + ": eos_token_id " + std::to_string(*token) + " is outside the vocabulary of " +
                             std::to_string(spec.vocabularySize) + " tokens (vocab_size in config.json).");
    }
    spec.endTokens.push_back(static_cast<int32_t>(*token));
}

void readEndTokens(const ConfigObject &config, ModelSpec &spec) {
    const JsonValue *const value = config.find("eos_token_id");
    if (value == nullptr) {
        return;
    }
    if (const JsonValue::Array *const tokens = value->array()) {
        for (const JsonValue &token : *tokens) {
            addEndToken(config, token, spec);
        }
    } else {
        addEndToken(config, *value, spec);
    }
}

void sortEndTokens(ModelSpec &spec) {
    std::sort(spec.endTokens.begin(), spec.endTokens.end());
    spec.endTokens.erase(std::unique(spec.endTokens.begin(), spec.endTokens.end()), spec.endTokens.end());
}

} // namespace

uint32_t ModelSpec::window(uint32_t layer) const {
    const auto index = static_cast<int64_t>(layer);
    const int64_t count = slidingWindowLayers;
    const bool inside = count >= 0 ? index < count : index >= static_cast<int64_t>(layerCount) + count;
    return inside ? slidingWindow : 0;
}

LaneReduction ModelSpec::reduction(uint32_t layer) const {
    if (laneCount == 1) {
        return LaneReduction::present;
    }
    if (layer < broadcastDelay) {
        return useEarlyComm ? LaneReduction::present : LaneReduction::scaledOwn;
    }
    if (!useComm) {
        return LaneReduction::scaledOwn;
    }
    return broadcastDelay == 0 ? LaneReduction::present : LaneReduction::past;
}

ModelSpec readModelSpec(const std::filesystem::path &folder) {
    const ConfigFile file(folder / "config.json");
    const ConfigObject config = file.root();
    ModelSpec spec;
    spec.family = readFamily(config);
    readDimensions(config, spec);
    refuseQuantized(config);
    if (spec.family == Family::laneformer) {
        readLaneformer(config, spec);
    } else {
        readPlainTransformer(config, spec);
    }
    readRope(config, spec);
    readEndTokens(config, spec);
    const std::filesystem::path generation = folder / "generation_config.json";
    if (std::error_code ignored; std::filesystem::exists(generation, ignored)) {
        readEndTokens(ConfigFile(generation).root(), spec);
    }
    sortEndTokens(spec);
    return spec;
}

} // namespace monokernel
