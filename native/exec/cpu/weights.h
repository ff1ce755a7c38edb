#pragma once

#include "exec/cpu/kernels/kernels.h"
#include "exec/cpu/page_memory.h"
#include "exec/cpu/worker_pool.h"
#include "model/model.h"
#include "plan/placement.h"

#include <functional>
#include <vector>

namespace monokernel::cpu {

/// What is computed at once: up to 64 rows of one lane.
struct Panel {
    const std::byte *data = nullptr;
    uint32_t blocks = 0;
    uint32_t firstRow = 0; ///< of the lane's (padded) rows
    uint32_t rows = 0;     ///< real rows; the rest of the last block is zeros
};

/// One phase's weights in all lanes: `unitsPerLane` units a lane, which may not be torn apart, of `panelsPerUnit`
/// panels.
struct PackedMatrix {
    WeightFormat format = WeightFormat::bf16;
    uint32_t depth = 0;
    uint32_t unitsPerLane = 0;
    uint32_t panelsPerUnit = 1;
    std::vector<Panel> panels;  ///< lane by lane
    std::vector<Range> workers; ///< units of each worker, counted over all lanes

    std::span<const Panel> unit(uint32_t index) const {
        return std::span(panels).subspan(size_t{index} * panelsPerUnit, panelsPerUnit);
    }
    uint64_t bytes() const;
};

struct LayerWeights {
    PackedMatrix qkv;    ///< unit: one head; a lane's query heads, key heads, value heads
    PackedMatrix output; ///< unit: up to 64 rows
    PackedMatrix gateUp; ///< unit: up to 32 gate rows and the same up rows, blocks in that order
    PackedMatrix down;
    std::vector<float> attentionNorm, ffnNorm; ///< [1 or lanes, paddedHidden]
    std::vector<float> qkvBias;                ///< as the rows of qkv, over all lanes; empty for none
    std::vector<float> queryNorm, keyNorm;     ///< [headDim padded]; empty for none
};

/// A model's weights as the kernels stream them: every worker's panels one after the other, in the order of use, in
/// memory that this worker wrote first.
class Weights {
public:
    /// Packs on the pool's workers, `quantized` into int8, else exactly. `progress` gets 0..1 on the calling thread;
    /// what it throws goes through. Throws ModelError(memory).
    Weights(const Model &model, bool quantized, WorkerPool &pool, const std::function<void(double)> &progress);

    const ModelSpec &spec() const { return spec_; }
    const std::vector<LayerWeights> &layers() const { return layers_; }
    const PackedMatrix &head() const { return head_; } ///< unit: up to 64 rows
    /// Norm weights before the head, [1 or lanes, paddedHidden].
    const std::vector<float> &finalNorm() const { return finalNorm_; }

    /// The embedding of `token`, hiddenSize floats.
    void embedding(int32_t token, float *out) const;

    uint64_t bytes() const;
    /// Bytes of weights that one decode step reads.
    uint64_t bytesPerToken() const;

private:
    void describe(const Model &model, bool quantized, uint32_t workers);
    void pack(const Model &model, WorkerPool &pool, const std::function<void(double)> &progress);

    ModelSpec spec_;
    std::vector<LayerWeights> layers_;
    PackedMatrix head_;
    std::vector<float> finalNorm_;
    std::vector<PageMemory> arenas_;
    PageMemory embedding_; ///< [vocabulary, hidden] in its file's type; empty when the head serves
    DataType embeddingType_ = DataType::bf16;
};

} // namespace monokernel::cpu
