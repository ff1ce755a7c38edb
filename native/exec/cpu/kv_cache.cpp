#include "exec/cpu/kv_cache.h"

#include <cstring>

namespace monokernel::cpu {

KvCache::KvCache(const ModelSpec &spec, uint32_t slots, uint32_t contextLength)
    : layers_(spec.layerCount), heads_(spec.kvHeadCount),
      chunks_((contextLength + chunkPositions - 1) / chunkPositions), headDim_(spec.headDim),
      valueWidth_(static_cast<uint32_t>(roundUp(spec.headDim, blockRows))),
      chunkFloats_(size_t{chunkPositions} * (headDim_ + valueWidth_)),
      memory_(size_t{slots} * layers_ * heads_ * chunks_ * chunkFloats_ * sizeof(float), PageMemory::Pages::huge) {}

void KvCache::writeKey(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const float *key) {
    float *column = memory_.floats() + offset(slot, layer, head, position / chunkPositions) + position % chunkPositions;
    for (uint32_t d = 0; d < headDim_; d++) {
        column[size_t{d} * chunkPositions] = key[d];
    }
}

void KvCache::writeValue(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const float *value) {
    float *row = memory_.floats() + offset(slot, layer, head, position / chunkPositions) +
                 size_t{headDim_} * chunkPositions + size_t{position % chunkPositions} * valueWidth_;
    std::memcpy(row, value, headDim_ * sizeof(float));
}

} // namespace monokernel::cpu
