#include "random_model.h"

#include "forwarding_driver.h"

#include <fstream>
#include <sstream>
#include <vector>

namespace bench {

using namespace monokernel;

namespace {

/// A safetensors header in the making; returns where each tensor's data will lie.
class Header {
public:
    void add(const std::string &name, const std::vector<uint64_t> &shape) {
        uint64_t bytes = 2;
        std::string extents;
        for (const uint64_t extent : shape) {
            bytes *= extent;
            extents += extents.empty() ? "" : ",";
            extents += std::to_string(extent);
        }
        text_ += text_.empty() ? "{" : ",";
        text_ += "\"" + name + R"(":{"dtype":"BF16","shape":[)" + extents + R"(],"data_offsets":[)" +
                 std::to_string(end_) + "," + std::to_string(end_ + bytes) + "]}";
        if (name.find("norm") != std::string::npos) {
            norms_.emplace_back(end_, bytes / 2);
        }
        end_ += bytes;
    }

    void write(const std::filesystem::path &file) {
        text_ += "}";
        text_.append((8 - text_.size() % 8) % 8, ' ');
        {
            std::ofstream out(file, std::ios::binary);
            const uint64_t length = text_.size();
            out.write(reinterpret_cast<const char *>(&length), 8);
            out << text_;
        }
        std::filesystem::resize_file(file, 8 + text_.size() + end_);
        std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
        for (const auto &[offset, count] : norms_) {
            const std::vector<uint16_t> ones(count, 0x3f80);
            out.seekp(static_cast<std::streamoff>(8 + text_.size() + offset));
            out.write(reinterpret_cast<const char *>(ones.data()), static_cast<std::streamsize>(count * 2));
        }
    }

private:
    std::string text_;
    uint64_t end_ = 0;
    std::vector<std::pair<uint64_t, uint64_t>> norms_;
};

class RandomWeights final : public ForwardingDriver {
public:
    RandomWeights(std::unique_ptr<GpuDriver> driver, uint64_t weightBytes, uint64_t embeddingBegin,
                  uint64_t embeddingEnd)
        : ForwardingDriver(std::move(driver)), weightBytes_(weightBytes), embeddingBegin_(embeddingBegin),
          embeddingEnd_(embeddingEnd) {
        uint64_t state = 0x9e3779b97f4a7c15ull;
        pool_.resize((256u << 20) / 8);
        for (uint64_t &word : pool_) { // 2^-7 to 2^-6 with random sign and mantissa
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word = (state & 0x807f807f807f807full) | 0x3c003c003c003c00ull;
        }
    }

    uint64_t allocate(uint64_t bytes) override {
        const uint64_t address = driver().allocate(bytes);
        base_ = base_ == 0 ? address : base_;
        return address;
    }
    void upload(uint64_t address, std::span<const std::byte> from) override {
        const uint64_t at = address - base_;
        if (at >= weightBytes_ && (at < embeddingBegin_ || at >= embeddingEnd_)) {
            driver().upload(address, from);
            return;
        }
        const auto pool = std::as_bytes(std::span(pool_));
        const uint64_t start = (at / 64 * 2654435761ull) % (pool.size() / 2) / 64 * 64;
        for (uint64_t done = 0; done < from.size();) {
            const uint64_t part = std::min<uint64_t>(from.size() - done, pool.size() - start);
            driver().upload(address + done, pool.subspan(start, part));
            done += part;
        }
    }

private:
    uint64_t weightBytes_, embeddingBegin_, embeddingEnd_, base_ = 0;
    std::vector<uint64_t> pool_;
};

constexpr const char *laneformerConfig =
    R"({"model_type":"laneformer_tp","architectures":["LaneformerTPForCausalLM"],"num_lanes":8,"broadcast_delay":2,)"
    R"("use_comm":true,"use_early_comm":false,"lm_head_type":"replicate","pre_norm_lane_agg":false,"replicated_rmsn_scale":true,)"
    R"("norm_eps":1e-05,)";
constexpr const char *llamaConfig =
    R"({"model_type":"llama","architectures":["LlamaForCausalLM"],"rms_norm_eps":1e-05,)";

std::string dimensionsOf(const Shape &s) {
    std::ostringstream out;
    out << R"("rope_theta":10000.0,"torch_dtype":"bfloat16","eos_token_id":0,"vocab_size":)" << s.vocabulary
        << R"(,"hidden_size":)" << s.hidden << R"(,"num_hidden_layers":)" << s.layers << R"(,"num_attention_heads":)"
        << s.heads << R"(,"num_key_value_heads":)" << s.kvHeads << R"(,"intermediate_size":)" << s.ffn
        << R"(,"max_position_embeddings":)" << s.context << R"(,"tie_word_embeddings":)" << (s.tied ? "true" : "false");
    if (s.laneformer) {
        out << R"(,"sliding_window":)" << s.window << R"(,"sliding_window_n_layers":)" << s.windowLayers;
    }
    return out.str();
}

void addHead(Header &header, const Shape &s) {
    header.add("model.norm.weight", {s.hidden});
    if (!s.tied) {
        header.add("lm_head.weight", {s.vocabulary, s.hidden});
    }
}

void addLaneformer(Header &header, const Shape &s) {
    constexpr uint64_t lanes = 8;
    const uint64_t d = s.hidden, kvRows = s.kvHeads * (d / s.heads) / lanes;
    header.add("model.tok_embeddings.weight", {s.vocabulary, d});
    for (uint32_t layer = 0; layer < s.layers; layer++) {
        const std::string prefix = "model.layers." + std::to_string(layer) + ".";
        header.add(prefix + "attention.wq.weight", {lanes, d / lanes, d});
        header.add(prefix + "attention.wk.weight", {lanes, kvRows, d});
        header.add(prefix + "attention.wv.weight", {lanes, kvRows, d});
        header.add(prefix + "attention.wo.weight", {lanes, d, d / lanes});
        header.add(prefix + "feed_forward.w1.weight", {lanes, s.ffn / lanes, d});
        header.add(prefix + "feed_forward.w3.weight", {lanes, s.ffn / lanes, d});
        header.add(prefix + "feed_forward.w2.weight", {lanes, d, s.ffn / lanes});
        header.add(prefix + "attention_norm.weight", {d});
        header.add(prefix + "ffn_norm.weight", {d});
    }
    addHead(header, s);
}

void addLlama(Header &header, const Shape &s) {
    const uint64_t d = s.hidden, kvRows = s.kvHeads * (d / s.heads);
    header.add("model.embed_tokens.weight", {s.vocabulary, d});
    for (uint32_t layer = 0; layer < s.layers; layer++) {
        const std::string prefix = "model.layers." + std::to_string(layer) + ".";
        header.add(prefix + "self_attn.q_proj.weight", {d, d});
        header.add(prefix + "self_attn.k_proj.weight", {kvRows, d});
        header.add(prefix + "self_attn.v_proj.weight", {kvRows, d});
        header.add(prefix + "self_attn.o_proj.weight", {d, d});
        header.add(prefix + "mlp.gate_proj.weight", {s.ffn, d});
        header.add(prefix + "mlp.up_proj.weight", {s.ffn, d});
        header.add(prefix + "mlp.down_proj.weight", {d, s.ffn});
        header.add(prefix + "input_layernorm.weight", {d});
        header.add(prefix + "post_attention_layernorm.weight", {d});
    }
    addHead(header, s);
}

} // namespace

void writeModel(const std::filesystem::path &folder, const Shape &shape) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json")
        << (shape.laneformer ? laneformerConfig : llamaConfig) << dimensionsOf(shape) << "}";
    Header header;
    if (shape.laneformer) {
        addLaneformer(header, shape);
    } else {
        addLlama(header, shape);
    }
    header.write(folder / "model.safetensors");
}

std::unique_ptr<GpuDriver> withRandomWeights(std::unique_ptr<GpuDriver> driver, uint64_t weightBytes,
                                             uint64_t embeddingBegin, uint64_t embeddingEnd) {
    return std::make_unique<RandomWeights>(std::move(driver), weightBytes, embeddingBegin, embeddingEnd);
}

} // namespace bench
