#include "exec/cpu/kv_cache.h"

#include <cstring>

namespace monokernel::cpu {

namespace {

/// Of one block.
constexpr size_t lineBytes = 64;

uint32_t valueBlocks(const ModelSpec &spec) {
    return static_cast<uint32_t>(roundUp(spec.headDim, blockRows)) / blockRows;
}

/// Of a panel of whole lines.
size_t cachePanelBytes(CacheFormat format, uint32_t blocks, uint32_t depth) {
    const uint32_t inLine = format == CacheFormat::f32 ? 1 : 2;
    return (depth + inLine - 1) / inLine * blocks * lineBytes;
}

size_t keyBytesOf(const ModelSpec &spec, CacheFormat format) {
    return cachePanelBytes(format, panelBlocks, spec.headDim);
}

/// Of keys and of values.
size_t scaleBytesOf(CacheFormat format) { return format == CacheFormat::f32 ? 0 : 2 * chunkPositions * sizeof(float); }

size_t chunkBytesOf(const ModelSpec &spec, CacheFormat format) {
    const size_t values = cachePanelBytes(format, valueBlocks(spec), chunkPositions);
    return scaleBytesOf(format) + keyBytesOf(spec, format) + values;
}

/// A row in words of 32 bits, elements or pairs of them, to its place in a full panel.
void scatterWords(const std::byte *from, uint32_t words, uint32_t row, std::byte *panel) {
    std::byte *to = panel + row / blockRows * lineBytes + row % blockRows * sizeof(uint32_t);
    for (uint32_t i = 0; i < words; i++, to += panelBlocks * lineBytes) {
        std::memcpy(to, from + i * sizeof(uint32_t), sizeof(uint32_t));
    }
}

/// Elements of a position to their halves of the words that two positions share.
void writeHalves(const std::byte *from, uint32_t count, bool high, std::byte *to) {
    const uint32_t kept = high ? 0x0000ffffu : 0xffff0000u, shift = high ? 16 : 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t element;
        uint32_t word;
        std::memcpy(&element, from + i * sizeof element, sizeof element);
        std::memcpy(&word, to + i * sizeof word, sizeof word);
        word = (word & kept) | static_cast<uint32_t>(element) << shift;
        std::memcpy(to + i * sizeof word, &word, sizeof word);
    }
}

} // namespace

KvCache::KvCache(const ModelSpec &spec, uint32_t slots, uint32_t contextLength, CacheFormat format)
    : format_(format), layers_(spec.layerCount), heads_(spec.kvHeadCount),
      chunks_((contextLength + chunkPositions - 1) / chunkPositions), headDim_(spec.headDim),
      valueWidth_(valueBlocks(spec) * blockRows), scaleBytes_(scaleBytesOf(format)),
      keyBytes_(keyBytesOf(spec, format)), chunkBytes_(chunkBytesOf(spec, format)),
      memory_(size_t{slots} * layers_ * heads_ * chunks_ * chunkBytes_, PageMemory::Pages::huge) {}

uint64_t KvCache::bytesPerPosition(const ModelSpec &spec, CacheFormat format) {
    return spec.kvHeadCount * chunkBytesOf(spec, format) / chunkPositions;
}

void KvCache::writeKey(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const void *key) {
    std::byte *chunk = memory_.data() + offset(slot, layer, head, position / chunkPositions);
    const uint32_t row = position % chunkPositions;
    const auto *from = static_cast<const std::byte *>(key);
    if (format_ == CacheFormat::f32) {
        scatterWords(from, headDim_, row, chunk);
        return;
    }
    std::memcpy(chunk + row * sizeof(float), from, sizeof(float));
    scatterWords(from + sizeof(float), (headDim_ + 1) / 2, row, chunk + scaleBytes_);
}

void KvCache::writeValue(uint32_t slot, uint32_t layer, uint32_t head, uint32_t position, const void *value) {
    std::byte *chunk = memory_.data() + offset(slot, layer, head, position / chunkPositions);
    const uint32_t line = position % chunkPositions;
    const auto *from = static_cast<const std::byte *>(value);
    std::byte *values = chunk + scaleBytes_ + keyBytes_;
    const size_t lineSize = valueWidth_ * sizeof(float);
    if (format_ == CacheFormat::f32) {
        std::memcpy(values + line * lineSize, from, lineSize);
        return;
    }
    std::memcpy(chunk + (chunkPositions + line) * sizeof(float), from, sizeof(float));
    writeHalves(from + sizeof(float), valueWidth_, line % 2 != 0, values + line / 2 * lineSize);
}

} // namespace monokernel::cpu
