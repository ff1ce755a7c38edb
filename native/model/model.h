#pragma once

#include "model/model_spec.h"
#include "model/tensor.h"

#include <filesystem>
#include <memory>
#include <vector>

namespace monokernel {

/// One layer's tensors in lane form: with L lanes, D = hiddenSize (a plain transformer has L = 1).
struct LayerTensors {
    TensorView attentionNorm; ///< [D], or [L, D] when spec.perLaneNorm
    TensorView query;         ///< [L, heads/L * headDim, D]
    TensorView key;           ///< [L, kvHeads/L * headDim, D]
    TensorView value;         ///< [L, kvHeads/L * headDim, D]
    TensorView queryBias;     ///< [heads * headDim], empty unless spec.qkvBias
    TensorView keyBias;       ///< [kvHeads * headDim]
    TensorView valueBias;     ///< [kvHeads * headDim]
    TensorView queryNorm;     ///< [headDim], empty unless spec.qkNorm
    TensorView keyNorm;       ///< [headDim]
    TensorView output;        ///< [L, D, heads/L * headDim]
    TensorView ffnNorm;       ///< as attentionNorm
    TensorView gate;          ///< [L, ffn/L, D]
    TensorView up;            ///< [L, ffn/L, D]
    TensorView down;          ///< [L, D, ffn/L]
};

class SafetensorsFolder;

/// A validated model folder: its spec and its tensors by role. The weights stay mapped while the object lives.
class Model {
public:
    /// Reads config.json and the safetensors headers, checks every tensor's presence, type, shape and extent. Allocates
    /// nothing that grows with the weights. Throws ModelError.
    static Model open(const std::filesystem::path &folder);

    Model(Model &&) noexcept;
    Model &operator=(Model &&) noexcept;
    ~Model();

    const ModelSpec &spec() const { return spec_; }
    const TensorView &embedding() const { return embedding_; } ///< [vocabulary, D]
    const TensorView &finalNorm() const { return finalNorm_; } ///< [D], or [L, D]
    const TensorView &head() const { return head_; } ///< [vocabulary, D] or [L, vocabulary/L, D]; the embedding if tied
    const std::vector<LayerTensors> &layers() const { return layers_; }
    uint64_t weightBytes() const { return weightBytes_; }

private:
    Model();
    ModelSpec spec_;
    TensorView embedding_, finalNorm_, head_;
    std::vector<LayerTensors> layers_;
    uint64_t weightBytes_ = 0;
    std::unique_ptr<SafetensorsFolder> files_;
};

} // namespace monokernel
