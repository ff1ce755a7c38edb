#include "check.h"
#include "model/model.h"
#include "model_draft.h"

using namespace monokernel;
using draft::ModelFolder;

namespace {

std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

} // namespace

/// Views must show the bytes that were written, of each element type, from one file and from shards.
TEST(tensorsShowTheirBytes) {
    for (const size_t shards : {size_t{0}, size_t{3}}) {
        ModelFolder folder = draft::llama();
        draft::Tensor &up = folder.tensor("model.layers.0.mlp.up_proj.weight");
        up.type = "F32";
        up.bytes = std::string(24 * 16 * 4, 'u');
        draft::Tensor &down = folder.tensor("model.layers.0.mlp.down_proj.weight");
        down.type = "F16";
        down.bytes = std::string(24 * 16 * 2, 'd');
        const std::string query = folder.tensor("model.layers.0.self_attn.q_proj.weight").bytes;
        if (shards > 0) {
            folder.shard(shards);
        }
        const draft::TemporaryFolder temporary;
        folder.write(temporary.path());
        const Model opened = Model::open(temporary.path());
        Model model = Model::open(temporary.path());
        model = Model::open(temporary.path()); // views stay good when a model moves
        const LayerTensors &layer = model.layers()[0];
        CHECK(layer.up.type == DataType::f32 && text(layer.up.bytes) == std::string(24 * 16 * 4, 'u'));
        CHECK(layer.down.type == DataType::f16 && text(layer.down.bytes) == std::string(24 * 16 * 2, 'd'));
        CHECK(layer.query.type == DataType::bf16 && text(layer.query.bytes) == query);
        CHECK((layer.down.shape == std::vector<uint64_t>{1, 16, 24}));
        CHECK(model.weightBytes() == opened.weightBytes());
    }
}

TEST(everyRoleHasItsOwnTensor) {
    using Roles = std::vector<std::pair<TensorView LayerTensors::*, const char *>>;
    const auto check = [](ModelFolder folder, const std::string &layer, const Roles &roles) {
        const draft::TemporaryFolder temporary;
        folder.write(temporary.path());
        const Model model = Model::open(temporary.path());
        for (const auto &[role, name] : roles) {
            CHECK_MESSAGE(text((model.layers().back().*role).bytes) == folder.tensor(layer + name).bytes, name);
        }
    };
    const Roles plain = {{&LayerTensors::attentionNorm, "input_layernorm.weight"},
                         {&LayerTensors::query, "self_attn.q_proj.weight"},
                         {&LayerTensors::key, "self_attn.k_proj.weight"},
                         {&LayerTensors::value, "self_attn.v_proj.weight"},
                         {&LayerTensors::output, "self_attn.o_proj.weight"},
                         {&LayerTensors::ffnNorm, "post_attention_layernorm.weight"},
                         {&LayerTensors::gate, "mlp.gate_proj.weight"},
                         {&LayerTensors::up, "mlp.up_proj.weight"},
                         {&LayerTensors::down, "mlp.down_proj.weight"}};
    check(draft::llama(), "model.layers.0.", plain);
    check(draft::qwen("qwen2"), "model.layers.0.",
          {{&LayerTensors::queryBias, "self_attn.q_proj.bias"},
           {&LayerTensors::keyBias, "self_attn.k_proj.bias"},
           {&LayerTensors::valueBias, "self_attn.v_proj.bias"}});
    check(draft::qwen("qwen3"), "model.layers.0.",
          {{&LayerTensors::queryNorm, "self_attn.q_norm.weight"}, {&LayerTensors::keyNorm, "self_attn.k_norm.weight"}});
    check(draft::laneformer(), "model.layers.2.",
          {{&LayerTensors::attentionNorm, "attention_norm.weight"},
           {&LayerTensors::query, "attention.wq.weight"},
           {&LayerTensors::key, "attention.wk.weight"},
           {&LayerTensors::value, "attention.wv.weight"},
           {&LayerTensors::output, "attention.wo.weight"},
           {&LayerTensors::ffnNorm, "ffn_norm.weight"},
           {&LayerTensors::gate, "feed_forward.w1.weight"},
           {&LayerTensors::up, "feed_forward.w3.weight"},
           {&LayerTensors::down, "feed_forward.w2.weight"}});
}

TEST(unusedTensorsAreAllowed) {
    ModelFolder folder = draft::llama();
    folder.tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", "I64", {2}, std::string(16, 'x')});
    folder.tensors.push_back({"scalar", "F32", {}, "1234"});
    folder.tensors.push_back({"nothing", "F32", {0, 8}, ""});
    const draft::TemporaryFolder temporary;
    folder.write(temporary.path());
    const draft::TemporaryFolder plain;
    draft::llama().write(plain.path());
    CHECK(Model::open(temporary.path()).weightBytes() == Model::open(plain.path()).weightBytes());
}

TEST(normPerLaneButOneAfterAggregation) {
    ModelFolder folder = draft::laneformer();
    folder.config["replicated_rmsn_scale"] = "false";
    folder.config["pre_norm_lane_agg"] = "true";
    for (draft::Tensor &tensor : folder.tensors) {
        if (tensor.name.ends_with("_norm.weight")) {
            tensor.name.replace(tensor.name.size() - 6, 6, "scale");
            tensor.shape = {2, 32};
            tensor.bytes += tensor.bytes;
        }
    }
    const draft::TemporaryFolder temporary;
    folder.write(temporary.path());
    const Model model = Model::open(temporary.path());
    CHECK((model.finalNorm().shape == std::vector<uint64_t>{32}));
    CHECK((model.layers()[2].attentionNorm.shape == std::vector<uint64_t>{2, 32}));
}

TEST(tiedHeadIsTheEmbedding) {
    ModelFolder folder = draft::laneformer();
    const draft::TemporaryFolder temporary;
    folder.write(temporary.path());
    const Model model = Model::open(temporary.path());
    CHECK(model.head().bytes.data() == model.embedding().bytes.data());
    folder.config["lm_head_type"] = "\"vocab_parallel\"";
    folder.write(temporary.path());
    CHECK((Model::open(temporary.path()).head().shape == std::vector<uint64_t>{2, 16, 32}));
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
