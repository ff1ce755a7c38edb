#include "model/tensor_roles.h"

#include "model/model_error.h"

namespace monokernel {

namespace {

using Shape = std::vector<uint64_t>;

/// A checkpoint's names and shapes, as the Hugging Face implementations of the families write them.
class Finder {
public:
    Finder(const SafetensorsFolder &files, const ModelSpec &spec) : files_(files), spec_(spec) {}
    virtual ~Finder() = default;

    ModelTensors find() const {
        ModelTensors tensors;
        tensors.embedding = files_.tensor(embeddingName(), {spec_.vocabularySize, spec_.hiddenSize});
        tensors.finalNorm = finalNorm();
        tensors.head = head(tensors.embedding);
        for (uint32_t i = 0; i < spec_.layerCount; i++) {
            tensors.layers.push_back(layer("model.layers." + std::to_string(i) + "."));
        }
        return tensors;
    }

protected:
    virtual std::string embeddingName() const = 0;
    virtual TensorView finalNorm() const = 0;
    virtual LayerTensors layer(const std::string &prefix) const = 0;

    Shape headShape() const {
        if (spec_.headType == HeadType::vocabularyParallel) {
            return {spec_.laneCount, spec_.vocabularySize / spec_.laneCount, spec_.hiddenSize};
        }
        return {spec_.vocabularySize, spec_.hiddenSize};
    }

    TensorView head(const TensorView &embedding) const {
        if (!spec_.tiedEmbeddings) {
            return files_.tensor("lm_head.weight", headShape());
        }
        TensorView shared = embedding;
        shared.shape = headShape();
        return shared;
    }

    const SafetensorsFolder &files_;
    const ModelSpec &spec_;
};

class LaneformerFinder final : public Finder {
public:
    using Finder::Finder;

private:
    std::string embeddingName() const override { return "model.tok_embeddings.weight"; }

    TensorView finalNorm() const override {
        // With pre-norm aggregation there is one stream left to normalise, so one weight for all lanes.
        return norm("model.norm", spec_.perLaneNorm && !spec_.preNormLaneAggregation);
    }

    LayerTensors layer(const std::string &prefix) const override {
        const uint64_t lanes = spec_.laneCount;
        const uint64_t hidden = spec_.hiddenSize;
        const uint64_t query = uint64_t{spec_.headsPerLane()} * spec_.headDim;
        const uint64_t key = uint64_t{spec_.kvHeadsPerLane()} * spec_.headDim;
        const uint64_t ffn = spec_.ffnPerLane();
        LayerTensors tensors;
        tensors.attentionNorm = norm(prefix + "attention_norm", spec_.perLaneNorm);
        tensors.query = files_.tensor(prefix + "attention.wq.weight", {lanes, query, hidden});
        tensors.key = files_.tensor(prefix + "attention.wk.weight", {lanes, key, hidden});
        tensors.value = files_.tensor(prefix + "attention.wv.weight", {lanes, key, hidden});
        tensors.output = files_.tensor(prefix + "attention.wo.weight", {lanes, hidden, query});
        tensors.ffnNorm = norm(prefix + "ffn_norm", spec_.perLaneNorm);
        tensors.gate = files_.tensor(prefix + "feed_forward.w1.weight", {lanes, ffn, hidden});
        tensors.up = files_.tensor(prefix + "feed_forward.w3.weight", {lanes, ffn, hidden});
        tensors.down = files_.tensor(prefix + "feed_forward.w2.weight", {lanes, hidden, ffn});
        return tensors;
    }

    TensorView norm(const std::string &name, bool perLane) const {
        return perLane ? files_.tensor(name + ".scale", {spec_.laneCount, spec_.hiddenSize})
                       : files_.tensor(name + ".weight", {spec_.hiddenSize});
    }
};

class PlainFinder final : public Finder {
public:
    using Finder::Finder;

private:
    std::string embeddingName() const override { return "model.embed_tokens.weight"; }
    TensorView finalNorm() const override { return vector("model.norm.weight", spec_.hiddenSize); }

    LayerTensors layer(const std::string &prefix) const override {
        const uint64_t hidden = spec_.hiddenSize;
        const uint64_t query = uint64_t{spec_.headCount} * spec_.headDim;
        const uint64_t key = uint64_t{spec_.kvHeadCount} * spec_.headDim;
        const std::string attention = prefix + "self_attn.";
        LayerTensors tensors;
        tensors.attentionNorm = vector(prefix + "input_layernorm.weight", hidden);
        tensors.query = oneLane(attention + "q_proj.weight", query, hidden);
        tensors.key = oneLane(attention + "k_proj.weight", key, hidden);
        tensors.value = oneLane(attention + "v_proj.weight", key, hidden);
        if (spec_.qkvBias) {
            tensors.queryBias = vector(attention + "q_proj.bias", query);
            tensors.keyBias = vector(attention + "k_proj.bias", key);
            tensors.valueBias = vector(attention + "v_proj.bias", key);
        }
        if (spec_.qkNorm) {
            tensors.queryNorm = vector(attention + "q_norm.weight", spec_.headDim);
            tensors.keyNorm = vector(attention + "k_norm.weight", spec_.headDim);
        }
        tensors.output = oneLane(attention + "o_proj.weight", hidden, query);
        tensors.ffnNorm = vector(prefix + "post_attention_layernorm.weight", hidden);
        tensors.gate = oneLane(prefix + "mlp.gate_proj.weight", spec_.ffnSize, hidden);
        tensors.up = oneLane(prefix + "mlp.up_proj.weight", spec_.ffnSize, hidden);
        tensors.down = oneLane(prefix + "mlp.down_proj.weight", hidden, spec_.ffnSize);
        return tensors;
    }

    TensorView vector(const std::string &name, uint64_t extent) const { return files_.tensor(name, {extent}); }

    /// A matrix [rows, columns] as the only lane's: [1, rows, columns].
    TensorView oneLane(const std::string &name, uint64_t rows, uint64_t columns) const {
        TensorView view = files_.tensor(name, {rows, columns});
        view.shape = {1, rows, columns};
        return view;
    }
};

} // namespace

ModelTensors findTensors(const SafetensorsFolder &files, const ModelSpec &spec) {
    if (spec.family == Family::laneformer) {
        return LaneformerFinder(files, spec).find();
    }
    return PlainFinder(files, spec).find();
}

} // namespace monokernel
