#pragma once

#include "exec/cpu/kernels/kernels.h"
#include "exec/cpu/page_memory.h"
#include "model/model_spec.h"

#include <cstdint>
#include <span>

namespace monokernel::cpu {

/// Keys and values of all slots, in chunks of 64 positions that the attention kernel takes as panels: a chunk is keys
/// along headDim, 64 rows, then values along its positions, valueWidth rows; in int16 the scales of keys and of values
/// come first, as a pass over chunks reads them one by one. A slot's chunks
/// lie in the order of positions, all layers and heads of one together, so that huge pages are taken only as far as the
/// slot is filled.
class KvCache {
public:
    /// Throws ModelError(memory).
    KvCache(const ModelSpec &spec, uint32_t slots, uint32_t contextLength, CacheFormat format);

    const std::byte *keys(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return memory_.data() + offset(slot, layer, head, chunk) + scaleBytes_;
    }
    const std::byte *values(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return keys(slot, layer, head, chunk) + keyBytes_;
    }
    /// Of each position of a chunk, if the format has them.
    const float *keyScales(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return reinterpret_cast<const float *>(memory_.data() + offset(slot, layer, head, chunk));
    }
    const float *valueScales(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return keyScales(slot, layer, head, chunk) + chunkPositions;
    }
    /// All of a chunk.
    std::span<const std::byte> chunk(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return {memory_.data() + offset(slot, layer, head, chunk), chunkBytes_};
    }
    /// `key` and `value` are rows of headDim elements in the cache's format, the value padded to valueWidth().
    void writeKey(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const void *key);
    void writeValue(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const void *value);

    /// Bytes of one position's keys and values in one layer.
    static uint64_t bytesPerPosition(const ModelSpec &spec, CacheFormat format);

    uint32_t valueWidth() const { return valueWidth_; }
    uint64_t bytes() const { return memory_.size(); }

private:
    /// `head` counts over all lanes.
    size_t offset(uint32_t slot, uint32_t layer, uint32_t head, uint32_t chunk) const {
        return (((size_t{slot} * chunks_ + chunk) * layers_ + layer) * heads_ + head) * chunkBytes_;
    }

    CacheFormat format_;
    uint32_t layers_, heads_, chunks_, headDim_, valueWidth_;
    size_t scaleBytes_, keyBytes_, chunkBytes_;
    PageMemory memory_;
};

} // namespace monokernel::cpu
