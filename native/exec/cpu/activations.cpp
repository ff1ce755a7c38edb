#include "exec/cpu/activations.h"

#include <algorithm>

namespace monokernel::cpu {

namespace {

uint32_t padded(uint32_t width) { return static_cast<uint32_t>(roundUp(width, blockRows)); }

PageMemory floats(size_t count) { return {count * sizeof(float), PageMemory::Pages::ordinary}; }

} // namespace

uint32_t Activations::partialLayers(const ModelSpec &spec) {
    return std::min(spec.broadcastDelay + 1, spec.layerCount);
}

Activations::Activations(const ModelSpec &spec, uint32_t maxTokens, uint32_t contextLength)
    : maxTokens_(maxTokens), lanes_(spec.laneCount), hiddenWidth_(padded(spec.hiddenSize)),
      headWidth_(padded(spec.headDim)), attentionWidth_(padded(spec.headsPerLane() * spec.headDim)),
      gatedWidth_(padded(spec.ffnPerLane())), partialLayers_(partialLayers(spec)),
      chunks_((contextLength + chunkPositions - 1) / chunkPositions),
      queryFloats_(size_t{maxTokens} * (spec.headCount / spec.kvHeadCount) * headWidth_),
      chunkStateFloats_(size_t{spec.headCount / spec.kvHeadCount} * attentionStateWidth(headWidth_)),
      queries_(floats(spec.kvHeadCount * queryFloats_)),
      attention_(floats(size_t{lanes_} * maxTokens * attentionWidth_)),
      partials_(floats(size_t{partialLayers_} * 2 * lanes_ * maxTokens * hiddenWidth_)),
      gated_(floats(size_t{lanes_} * maxTokens * gatedWidth_)),
      laneOutputs_(floats(size_t{lanes_} * maxTokens * hiddenWidth_)),
      chunkStates_(floats(size_t{spec.kvHeadCount} * chunks_ * chunkStateFloats_)) {}

uint64_t Activations::bytes() const {
    return queries_.size() + attention_.size() + partials_.size() + gated_.size() + laneOutputs_.size() +
           chunkStates_.size();
}

} // namespace monokernel::cpu
