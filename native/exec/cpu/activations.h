#pragma once

#include "exec/cpu/kernels/kernels.h"
#include "exec/cpu/page_memory.h"
#include "model/model_spec.h"

#include <cstdint>
#include <vector>

namespace monokernel::cpu {

/// The buffers that workers hand to each other within a step: rows of f32 a token, padded with zeros to 16.
class Activations {
public:
    /// For steps of up to `maxTokens` tokens in a context of `contextLength`. Throws ModelError(memory).
    Activations(const ModelSpec &spec, uint32_t maxTokens, uint32_t contextLength);

    /// A block's partial outputs are kept for this many layers (at most all of a step, which ends with all workers in
    /// step): the layer's own and those that other lanes still add, delayed. Before a worker writes there again, all
    /// must have read what is there for the last time: StepRunner::waitForRoom().
    static uint32_t partialLayers(const ModelSpec &spec);

    enum class Block : uint8_t { attention, ffn };

    uint32_t maxTokens() const { return maxTokens_; }
    uint32_t hiddenWidth() const { return hiddenWidth_; } ///< hiddenSize padded
    uint32_t headWidth() const { return headWidth_; }     ///< headDim padded
    uint32_t attentionWidth() const { return attentionWidth_; }
    uint32_t gatedWidth() const { return gatedWidth_; }

    /// [maxTokens * query heads a key head, headWidth]; `kvHead` counts over all lanes.
    float *queries(uint32_t kvHead) const { return queries_.floats() + kvHead * queryFloats_; }
    /// [maxTokens, attentionWidth], the lane's heads one after the other.
    float *attention(uint32_t lane) const { return attention_.floats() + size_t{lane} * maxTokens_ * attentionWidth_; }
    /// [maxTokens, hiddenWidth]
    float *partial(Block block, uint32_t layer, uint32_t lane) const {
        const size_t row = (size_t{layer % partialLayers_} * 2 + (block == Block::ffn ? 1 : 0)) * lanes_ + lane;
        return partials_.floats() + row * maxTokens_ * hiddenWidth_;
    }
    /// [maxTokens, gatedWidth]
    float *gated(uint32_t lane) const { return gated_.floats() + size_t{lane} * maxTokens_ * gatedWidth_; }
    /// [maxTokens, hiddenWidth]: a lane's stream on its way to the head.
    float *laneOutput(uint32_t lane) const { return laneOutputs_.floats() + size_t{lane} * maxTokens_ * hiddenWidth_; }
    /// Attention states of one token over one chunk: [query heads a key head, attentionStateWidth].
    float *chunkState(uint32_t kvHead, uint32_t chunk) const {
        return chunkStates_.floats() + (size_t{kvHead} * chunks_ + chunk) * chunkStateFloats_;
    }

    std::vector<float> logits;           ///< [selected tokens, vocabulary]
    std::vector<LogitSummary> summaries; ///< [selected tokens, units of the head]

    uint64_t bytes() const;

private:
    uint32_t maxTokens_, lanes_, hiddenWidth_, headWidth_, attentionWidth_, gatedWidth_, partialLayers_, chunks_;
    size_t queryFloats_, chunkStateFloats_;
    PageMemory queries_, attention_, partials_, gated_, laneOutputs_, chunkStates_;
};

} // namespace monokernel::cpu
