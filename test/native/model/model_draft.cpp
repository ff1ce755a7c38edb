#include "model_draft.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <stdexcept>

namespace draft {

namespace {

std::string littleEndian64(uint64_t value) {
    std::string out;
    for (int i = 0; i < 8; i++) {
        out += static_cast<char>(value >> (8 * i) & 0xFF);
    }
    return out;
}

std::string shapeText(const std::vector<uint64_t> &shape) {
    std::string out;
    for (const uint64_t extent : shape) {
        out += out.empty() ? "[" : ",";
        out += std::to_string(extent);
    }
    return out.empty() ? "[]" : out + "]";
}

/// A bf16 tensor whose bytes follow from its name, so that a test can tell tensors apart.
Tensor tensor(const std::string &name, const std::vector<uint64_t> &shape) {
    size_t size = 2;
    for (const uint64_t extent : shape) {
        size *= extent;
    }
    std::string bytes(size, '\0');
    size_t state = std::hash<std::string>{}(name);
    for (char &byte : bytes) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<char>(state >> 57);
    }
    return {name, "BF16", shape, bytes};
}

std::map<std::string, std::string> plainConfig(const std::string &type) {
    return {{"model_type", "\"" + type + "\""},
            {"vocab_size", "32"},
            {"hidden_size", "16"},
            {"num_hidden_layers", "1"},
            {"num_attention_heads", "2"},
            {"num_key_value_heads", "1"},
            {"head_dim", "8"},
            {"intermediate_size", "24"},
            {"max_position_embeddings", "64"},
            {"rms_norm_eps", "1e-6"},
            {"rope_theta", "10000.0"},
            {"eos_token_id", "3"},
            {"tie_word_embeddings", "false"}};
}

std::vector<Tensor> plainTensors() {
    const std::string layer = "model.layers.0.";
    return {tensor("model.embed_tokens.weight", {32, 16}),
            tensor("model.norm.weight", {16}),
            tensor("lm_head.weight", {32, 16}),
            tensor(layer + "input_layernorm.weight", {16}),
            tensor(layer + "post_attention_layernorm.weight", {16}),
            tensor(layer + "self_attn.q_proj.weight", {16, 16}),
            tensor(layer + "self_attn.k_proj.weight", {8, 16}),
            tensor(layer + "self_attn.v_proj.weight", {8, 16}),
            tensor(layer + "self_attn.o_proj.weight", {16, 16}),
            tensor(layer + "mlp.gate_proj.weight", {24, 16}),
            tensor(layer + "mlp.up_proj.weight", {24, 16}),
            tensor(layer + "mlp.down_proj.weight", {16, 24})};
}

void addTokenizer(ModelFolder &folder) {
    folder.files["tokenizer.json"] =
        R"({"version": "1.0", "added_tokens": [{"id": 31, "content": "<end>", "special": true}],)"
        R"( "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 30}, "merges": [["a", "b"]]}})";
}

} // namespace

std::string safetensorsImage(const std::vector<Tensor> &tensors) {
    std::string header = R"({"__metadata__":{"format":"pt"})";
    std::string data;
    for (const Tensor &tensor : tensors) {
        const size_t begin = data.size();
        data += tensor.bytes;
        header += ",\"" + tensor.name + "\":{\"dtype\":\"" + tensor.type + "\",\"shape\":" + shapeText(tensor.shape) +
                  ",\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
    }
    header += "}";
    header.append((8 - header.size() % 8) % 8, ' ');
    return littleEndian64(header.size()) + header + data;
}

std::string safetensorsImage(const std::string &header, size_t dataBytes) {
    return littleEndian64(header.size()) + header + std::string(dataBytes, '\0');
}

Tensor &ModelFolder::tensor(const std::string &name) {
    const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor &t) { return t.name == name; });
    if (found == tensors.end()) {
        throw std::logic_error("the draft has no tensor " + name);
    }
    return *found;
}

void ModelFolder::remove(const std::string &name) {
    tensor(name);
    std::erase_if(tensors, [&](const Tensor &t) { return t.name == name; });
}

void ModelFolder::shard(size_t shards) {
    std::string map;
    std::vector<std::vector<Tensor>> parts(shards);
    for (size_t i = 0; i < tensors.size(); i++) {
        const size_t part = i * shards / tensors.size();
        parts[part].push_back(tensors[i]);
        map += (map.empty() ? "" : ", ") + ("\"" + tensors[i].name + "\": \"part-") + std::to_string(part) +
               ".safetensors\"";
    }
    for (size_t part = 0; part < shards; part++) {
        files["part-" + std::to_string(part) + ".safetensors"] = safetensorsImage(parts[part]);
    }
    files["model.safetensors.index.json"] = R"({"metadata": {"total_size": 1}, "weight_map": {)" + map + "}}";
    removed.insert("model.safetensors");
}

std::string ModelFolder::configText() const {
    std::string text;
    for (const auto &[name, value] : config) {
        text += text.empty() ? "\"" : ",\n \"";
        text += name + "\": " + value;
    }
    return "{" + text + "}\n";
}

void ModelFolder::write(const std::filesystem::path &folder) const {
    std::map<std::string, std::string> all = {{"config.json", configText()}, {"model.safetensors", weights()}};
    for (const auto &[name, bytes] : files) {
        all[name] = bytes;
    }
    for (const auto &[name, bytes] : all) {
        if (!removed.contains(name)) {
            writeFile(folder / name, bytes);
        }
    }
}

ModelFolder llama() {
    ModelFolder folder{plainConfig("llama"), plainTensors(), {}, {}};
    addTokenizer(folder);
    return folder;
}

ModelFolder qwen(const std::string &type) {
    ModelFolder folder{plainConfig(type), plainTensors(), {}, {}};
    const std::string attention = "model.layers.0.self_attn.";
    if (type == "qwen2") {
        folder.tensors.push_back(tensor(attention + "q_proj.bias", {16}));
        folder.tensors.push_back(tensor(attention + "k_proj.bias", {8}));
        folder.tensors.push_back(tensor(attention + "v_proj.bias", {8}));
    } else {
        folder.tensors.push_back(tensor(attention + "q_norm.weight", {8}));
        folder.tensors.push_back(tensor(attention + "k_norm.weight", {8}));
    }
    return folder;
}

ModelFolder laneformer() {
    ModelFolder folder;
    folder.config = {{"model_type", "\"laneformer_tp\""},
                     {"vocab_size", "32"},
                     {"hidden_size", "32"},
                     {"num_hidden_layers", "3"},
                     {"num_attention_heads", "4"},
                     {"num_key_value_heads", "2"},
                     {"intermediate_size", "16"},
                     {"num_lanes", "2"},
                     {"broadcast_delay", "1"},
                     {"use_comm", "true"},
                     {"use_early_comm", "false"},
                     {"lm_head_type", "\"replicate\""},
                     {"pre_norm_lane_agg", "false"},
                     {"replicated_rmsn_scale", "true"},
                     {"tie_word_embeddings", "true"},
                     {"sliding_window", "16"},
                     {"sliding_window_n_layers", "2"},
                     {"max_position_embeddings", "64"},
                     {"rope_theta", "10000.0"},
                     {"norm_eps", "1e-5"},
                     {"eos_token_id", "[0, 3]"}};
    folder.tensors = {tensor("model.tok_embeddings.weight", {32, 32}), tensor("model.norm.weight", {32})};
    for (int i = 0; i < 3; i++) {
        const std::string layer = "model.layers." + std::to_string(i) + ".";
        for (Tensor &each : std::vector<Tensor>{
                 tensor(layer + "attention_norm.weight", {32}), tensor(layer + "ffn_norm.weight", {32}),
                 tensor(layer + "attention.wq.weight", {2, 16, 32}), tensor(layer + "attention.wk.weight", {2, 8, 32}),
                 tensor(layer + "attention.wv.weight", {2, 8, 32}), tensor(layer + "attention.wo.weight", {2, 32, 16}),
                 tensor(layer + "feed_forward.w1.weight", {2, 8, 32}),
                 tensor(layer + "feed_forward.w3.weight", {2, 8, 32}),
                 tensor(layer + "feed_forward.w2.weight", {2, 32, 8})}) {
            folder.tensors.push_back(std::move(each));
        }
    }
    return folder;
}

TemporaryFolder::TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "monokernel-model-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("cannot make a temporary folder");
    }
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void writeFile(const std::filesystem::path &path, const std::string &bytes) {
    // A new file, not the old one cut to nothing: some file systems write the latter to the disk at once.
    std::filesystem::remove(path);
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

} // namespace draft
