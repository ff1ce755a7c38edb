#pragma once

#include "exec/cpu/kernels/kernels.h"
#include "exec/cpu/page_memory.h"
#include "model/model_spec.h"

#include <cstdint>

namespace monokernel::cpu {

/// Keys and values of all slots in f32, in chunks of 64 positions that the attention kernel takes as panels: a chunk is
/// keys [headDim, 64], then values [64, valueWidth]. A slot's chunks lie in the order of positions, all layers and
/// heads of one together, so that huge pages are taken only as far as the slot is filled.
class KvCache {
public:
    /// Throws ModelError(memory).
    KvCache(const ModelSpec &spec, uint32_t slots, uint32_t contextLength);

    const float *keys(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return memory_.floats() + offset(slot, layer, head, chunk);
    }
    const float *values(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return keys(slot, layer, head, chunk) + size_t{headDim_} * chunkPositions;
    }
    void writeKey(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const float *key);
    void writeValue(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const float *value);

    uint32_t valueWidth() const { return valueWidth_; }
    uint64_t bytes() const { return memory_.size(); }

private:
    /// In floats; `head` counts over all lanes.
    size_t offset(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return (((size_t{slot} * chunks_ + chunk) * layers_ + layer) * heads_ + head) * chunkFloats_;
    }

    uint32_t layers_, heads_, chunks_, headDim_, valueWidth_;
    size_t chunkFloats_;
    PageMemory memory_;
};

} // namespace monokernel::cpu
