#include "exec/cpu/kv_cache.h"

#include <cstring>

namespace monokernel::cpu {

namespace {

/// Of one block.
constexpr size_t lineBytes = 64;

uint32_t valueBlocks(const ModelSpec &spec) {
    return static_cast<uint32_t>(roundUp(spec.headDim, blockRows)) / blockRows;
}

size_t keyBytesOf(const ModelSpec &spec, WeightFormat format) { return panelBytes(format, panelBlocks, spec.headDim); }

size_t chunkBytesOf(const ModelSpec &spec, WeightFormat format) {
    return keyBytesOf(spec, format) + panelBytes(format, valueBlocks(spec), chunkPositions);
}

/// A row of `depth` elements to its place in a full panel, element by element.
template <class Element>
void scatterElements(const std::byte *from, uint32_t depth, uint32_t row, uint32_t elementsInLine, std::byte *panel) {
    std::byte *to = panel + row / blockRows * lineBytes + row % blockRows * sizeof(Element);
    for (uint32_t k = 0; k < depth; k++) {
        const size_t line = size_t{k / elementsInLine} * panelBlocks * lineBytes;
        std::memcpy(to + line + k % elementsInLine * (lineBytes / elementsInLine), from + k * sizeof(Element),
                    sizeof(Element));
    }
}

void scatterRow(WeightFormat format, const std::byte *from, uint32_t depth, uint32_t row, std::byte *panel) {
    if (format == WeightFormat::f32) {
        scatterElements<float>(from, depth, row, 1, panel);
    } else {
        scatterElements<uint16_t>(from, depth, row, 2, panel);
    }
}

} // namespace

KvCache::KvCache(const ModelSpec &spec, uint32_t slots, uint32_t contextLength, WeightFormat format)
    : format_(format), layers_(spec.layerCount), heads_(spec.kvHeadCount),
      chunks_((contextLength + chunkPositions - 1) / chunkPositions), headDim_(spec.headDim),
      valueWidth_(valueBlocks(spec) * blockRows), keyBytes_(keyBytesOf(spec, format)),
      chunkBytes_(chunkBytesOf(spec, format)),
      memory_(size_t{slots} * layers_ * heads_ * chunks_ * chunkBytes_, PageMemory::Pages::huge) {}

uint64_t KvCache::bytesPerPosition(const ModelSpec &spec, WeightFormat format) {
    return spec.kvHeadCount * chunkBytesOf(spec, format) / chunkPositions;
}

void KvCache::writeKey(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const void *key) {
    std::byte *chunk = memory_.data() + offset(slot, layer, head, position / chunkPositions);
    scatterRow(format_, static_cast<const std::byte *>(key), headDim_, position % chunkPositions, chunk);
}

void KvCache::writeValue(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const void *value) {
    const uint32_t depth = lineDepth(format_), inLine = position % chunkPositions % depth;
    const size_t blockBytes = lineBytes / depth;
    std::byte *line = memory_.data() + offset(slot, layer, head, position / chunkPositions) + keyBytes_ +
                      size_t{position % chunkPositions / depth} * valueWidth_ / blockRows * lineBytes;
    for (uint32_t block = 0; block < valueWidth_ / blockRows; block++, line += lineBytes) {
        std::memcpy(line + inLine * blockBytes, static_cast<const std::byte *>(value) + block * blockBytes, blockBytes);
        if (inLine == 0 && depth == 2) {
            std::memset(line + blockBytes, 0, blockBytes);
        }
    }
}

} // namespace monokernel::cpu
