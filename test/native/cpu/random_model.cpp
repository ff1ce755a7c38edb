#include "random_model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace {

using draft::ModelFolder;
using draft::Tensor;

uint16_t toBf16(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Truncated, which is good enough for random weights; denormals included.
uint16_t toF16(float value) {
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    int exponent = 0;
    const float fraction = std::frexp(std::fabs(value), &exponent);
    if (exponent <= -14) {
        return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::ldexp(fraction, exponent + 24)));
    }
    return static_cast<uint16_t>(sign | (exponent + 14) << 10 |
                                 (static_cast<uint16_t>(std::ldexp(fraction, 11)) & 0x3ff));
}

class Writer {
public:
    explicit Writer(std::mt19937 &random) : random_(random) {}

    uint32_t pick(std::initializer_list<uint32_t> values) { return values.begin()[random_() % values.size()]; }
    uint32_t between(uint32_t low, uint32_t high) { return low + random_() % (high - low + 1); }
    bool coin() { return random_() % 2 == 0; }

    void add(ModelFolder &folder, const std::string &name, const std::vector<uint64_t> &shape, double mean,
             double spread) {
        const std::string types[] = {"BF16", "F16", "F32"};
        // One type a model, or now and then any type.
        const std::string &type = types[mixedTypes ? random_() % 3 : modelType];
        size_t count = 1;
        for (const uint64_t extent : shape) {
            count *= extent;
        }
        std::normal_distribution<double> normal(mean, spread);
        std::string bytes;
        for (size_t i = 0; i < count; i++) {
            const auto value = static_cast<float>(normal(random_));
            if (type == "F32") {
                append(bytes, value);
            } else {
                append(bytes, type == "F16" ? toF16(value) : toBf16(value));
            }
        }
        folder.tensors.push_back({name, type, shape, bytes});
    }

    /// A size from low to high, a multiple of four where all have to be.
    uint32_t size(uint32_t low, uint32_t high) { return between(low, high) & ~(wholeQuads ? 3u : 0u); }

    bool mixedTypes = false, wholeQuads = false;
    uint32_t modelType = 0;

private:
    template <class T> static void append(std::string &bytes, T value) {
        bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
    }

    std::mt19937 &random_;
};

void set(ModelFolder &folder, const std::string &name, uint32_t value) { folder.config[name] = std::to_string(value); }
void set(ModelFolder &folder, const std::string &name, bool value) { folder.config[name] = value ? "true" : "false"; }

ModelFolder randomPlain(Writer &writer) {
    ModelFolder folder;
    const std::string family = std::array<const char *, 3>{"llama", "qwen2", "qwen3"}[writer.between(0, 2)];
    const uint32_t kv = writer.between(1, 4), heads = kv * writer.between(1, 3);
    const uint32_t headDim = writer.pick({8, 16, 24, 40, 64, 80, 96, 128, writer.wholeQuads ? 256u : 8u});
    const uint32_t hidden = family == "qwen3" ? writer.size(9, 70) : heads * headDim;
    const uint32_t ffn = writer.size(5, 150), vocabulary = writer.between(20, 200), layers = writer.between(1, 3);
    const bool tied = writer.coin();
    folder.config = {{"model_type", "\"" + family + "\""},
                     {"rms_norm_eps", "1e-6"},
                     {"rope_theta", "1000.0"},
                     {"eos_token_id", "0"}};
    set(folder, "vocab_size", vocabulary);
    set(folder, "hidden_size", hidden);
    set(folder, "num_hidden_layers", layers);
    set(folder, "num_attention_heads", heads);
    set(folder, "num_key_value_heads", kv);
    set(folder, "head_dim", headDim);
    set(folder, "intermediate_size", ffn);
    set(folder, "max_position_embeddings", 300u);
    set(folder, "tie_word_embeddings", tied);

    writer.add(folder, "model.embed_tokens.weight", {vocabulary, hidden}, 0, 0.5);
    writer.add(folder, "model.norm.weight", {hidden}, 1, 0.2);
    if (!tied) {
        writer.add(folder, "lm_head.weight", {vocabulary, hidden}, 0, 1 / std::sqrt(hidden));
    }
    for (uint32_t layer = 0; layer < layers; layer++) {
        const std::string p = "model.layers." + std::to_string(layer) + ".";
        const auto weight = [&](const std::string &name, uint32_t rows, uint32_t depth) {
            writer.add(folder, p + name + ".weight", {rows, depth}, 0, 1 / std::sqrt(depth));
        };
        const std::pair<const char *, uint32_t> projections[] = {{"q", heads}, {"k", kv}, {"v", kv}};
        for (const auto &[name, count] : projections) {
            weight("self_attn." + std::string(name) + "_proj", count * headDim, hidden);
            if (family == "qwen2") {
                writer.add(folder, p + "self_attn." + name + "_proj.bias", {count * headDim}, 0, 0.3);
            }
        }
        if (family == "qwen3") {
            writer.add(folder, p + "self_attn.q_norm.weight", {headDim}, 1, 0.2);
            writer.add(folder, p + "self_attn.k_norm.weight", {headDim}, 1, 0.2);
        }
        weight("self_attn.o_proj", hidden, heads * headDim);
        weight("mlp.gate_proj", ffn, hidden);
        weight("mlp.up_proj", ffn, hidden);
        weight("mlp.down_proj", hidden, ffn);
        writer.add(folder, p + "input_layernorm.weight", {hidden}, 1, 0.2);
        writer.add(folder, p + "post_attention_layernorm.weight", {hidden}, 1, 0.2);
    }
    return folder;
}

ModelFolder randomLaneformer(Writer &writer) {
    ModelFolder folder;
    const uint32_t lanes = writer.pick({1, 2, 3, 4, 6}), kv = lanes * writer.between(1, 2),
                   heads = kv * writer.between(1, 3);
    const uint32_t headDim = writer.wholeQuads ? writer.pick({8, 16, 24, 96}) : writer.pick({8, 16, 24});
    const uint32_t hidden = heads * headDim, ffn = lanes * writer.size(5, 60),
                   vocabulary = lanes * writer.between(10, 80);
    const uint32_t layers = writer.between(1, 6), delay = writer.between(0, 3);
    const bool vocabularyParallel = writer.coin(), perLaneNorm = writer.coin();
    const bool aggregates = !vocabularyParallel && writer.coin(), tied = writer.coin();
    folder.config = {{"model_type", "\"laneformer\""},
                     {"norm_eps", "1e-5"},
                     {"rope_theta", "1000.0"},
                     {"eos_token_id", "0"},
                     {"lm_head_type", vocabularyParallel ? "\"vocab_parallel\"" : "\"replicate\""},
                     {"sliding_window_n_layers", std::to_string(static_cast<int>(writer.between(0, 6)) - 3)}};
    set(folder, "vocab_size", vocabulary);
    set(folder, "hidden_size", hidden);
    set(folder, "num_hidden_layers", layers);
    set(folder, "num_attention_heads", heads);
    set(folder, "num_key_value_heads", kv);
    set(folder, "intermediate_size", ffn);
    set(folder, "num_lanes", lanes);
    set(folder, "broadcast_delay", delay);
    set(folder, "use_comm", writer.between(0, 3) != 0);
    set(folder, "use_early_comm", writer.coin());
    set(folder, "pre_norm_lane_agg", aggregates);
    set(folder, "replicated_rmsn_scale", !perLaneNorm);
    set(folder, "tie_word_embeddings", tied);
    set(folder, "sliding_window", writer.between(1, 90));
    set(folder, "max_position_embeddings", 300u);

    const std::string norm = perLaneNorm ? ".scale" : ".weight";
    const std::vector<uint64_t> normShape =
        perLaneNorm ? std::vector<uint64_t>{lanes, hidden} : std::vector<uint64_t>{hidden};
    writer.add(folder, "model.tok_embeddings.weight", {vocabulary, hidden}, 0, 0.5);
    if (aggregates || !perLaneNorm) {
        writer.add(folder, "model.norm.weight", {hidden}, 1, 0.2);
    } else {
        writer.add(folder, "model.norm.scale", {lanes, hidden}, 1, 0.2);
    }
    if (!tied) {
        const std::vector<uint64_t> shape = vocabularyParallel
                                                ? std::vector<uint64_t>{lanes, vocabulary / lanes, hidden}
                                                : std::vector<uint64_t>{vocabulary, hidden};
        writer.add(folder, "lm_head.weight", shape, 0, 1 / std::sqrt(hidden));
    }
    for (uint32_t layer = 0; layer < layers; layer++) {
        const std::string p = "model.layers." + std::to_string(layer) + ".";
        const auto weight = [&](const std::string &name, uint32_t rows, uint32_t depth) {
            writer.add(folder, p + name + ".weight", {lanes, rows, depth}, 0, 0.5 / std::sqrt(depth));
        };
        weight("attention.wq", heads / lanes * headDim, hidden);
        weight("attention.wk", kv / lanes * headDim, hidden);
        weight("attention.wv", kv / lanes * headDim, hidden);
        weight("attention.wo", hidden, heads / lanes * headDim);
        weight("feed_forward.w1", ffn / lanes, hidden);
        weight("feed_forward.w3", ffn / lanes, hidden);
        weight("feed_forward.w2", hidden, ffn / lanes);
        writer.add(folder, p + "attention_norm" + norm, normShape, 1, 0.2);
        writer.add(folder, p + "ffn_norm" + norm, normShape, 1, 0.2);
    }
    return folder;
}

} // namespace

draft::ModelFolder randomGpuModel(std::mt19937 &random) {
    Writer writer(random);
    writer.wholeQuads = true;
    return writer.coin() ? randomPlain(writer) : randomLaneformer(writer);
}

draft::ModelFolder randomModel(std::mt19937 &random) {
    Writer writer(random);
    writer.modelType = writer.between(0, 2);
    writer.mixedTypes = writer.between(0, 3) == 0;
    draft::ModelFolder folder = writer.coin() ? randomPlain(writer) : randomLaneformer(writer);
    // f32 first, so that every tensor is aligned to its elements.
    std::stable_partition(folder.tensors.begin(), folder.tensors.end(),
                          [](const Tensor &t) { return t.type == "F32"; });
    return folder;
}
