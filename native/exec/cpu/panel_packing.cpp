#include "exec/cpu/panel_packing.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace monokernel::cpu {

namespace {

template <class T> T readAs(const std::byte *p) {
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
}

float fromBf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

float fromF16(uint16_t bits) {
    // The fields moved to where f32 has them, then 2^112 for the difference of the exponents' biases: exact.
    const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fffu) << 13;
    const bool special = (bits & 0x7c00u) == 0x7c00u; // infinity or NaN
    const uint32_t value =
        special ? 0x7f800000u | magnitude : std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
    return std::bit_cast<float>(value | static_cast<uint32_t>(bits & 0x8000u) << 16);
}

float elementAt(DataType type, const std::byte *p) {
    switch (type) {
    case DataType::f32:
        return readAs<float>(p);
    case DataType::f16:
        return fromF16(readAs<uint16_t>(p));
    case DataType::bf16:
        return fromBf16(readAs<uint16_t>(p));
    }
    return 0.0f;
}

/// Byte offset of an element within its line.
size_t offsetInLine(WeightFormat format, uint32_t lane, uint32_t k) {
    switch (format) {
    case WeightFormat::bf16:
        return lane * 4 + (k & 1) * 2;
    case WeightFormat::f16:
        return (k & 1) * 32 + lane * 2;
    case WeightFormat::f32:
        return lane * 4;
    }
    return 0;
}

/// Elements [begin, end) of one row, to where they lie in the panel. `line0` is the row's block in the first line.
template <class Element, class Read>
void packRow(WeightFormat format, uint32_t blocks, uint32_t lane, std::byte *line0, uint32_t begin, uint32_t end,
             const Read &read) {
    const uint32_t perLine = lineDepth(format);
    for (uint32_t k = begin; k < end; k++) {
        const Element value = read(k);
        std::memcpy(line0 + size_t{k / perLine} * blocks * 64 + offsetInLine(format, lane, k), &value, sizeof value);
    }
}

/// Depth packed at a time, so that the lines written stay in cache while all rows fill them.
constexpr uint32_t packDepth = 256;

} // namespace

WeightFormat formatFor(std::span<const DataType> types) {
    const bool same = std::all_of(types.begin(), types.end(), [&](DataType type) { return type == types.front(); });
    if (!same || types.front() == DataType::f32) {
        return WeightFormat::f32;
    }
    return types.front() == DataType::bf16 ? WeightFormat::bf16 : WeightFormat::f16;
}

void packPanel(WeightFormat format, uint32_t blocks, uint32_t depth, const PanelSource &source, std::byte *out) {
    const auto padded = static_cast<uint32_t>(roundUp(depth, lineDepth(format)));
    for (uint32_t begin = 0; begin < padded; begin += packDepth) {
        const uint32_t end = std::min(begin + packDepth, padded);
        for (uint32_t r = 0; r < blocks * blockRows; r++) {
            std::byte *line0 = out + size_t{r / blockRows} * 64;
            const uint32_t lane = r % blockRows;
            const TensorView *tensor = source[r].tensor;
            const uint32_t filled = tensor == nullptr ? begin : std::max(begin, std::min(end, depth));
            if (tensor != nullptr) {
                const size_t size = dataTypeSize(tensor->type);
                const std::byte *row = tensor->bytes.data() + source[r].row * depth * size;
                if (format == WeightFormat::f32) {
                    packRow<float>(format, blocks, lane, line0, begin, filled,
                                   [&](uint32_t k) { return elementAt(tensor->type, row + k * size); });
                } else {
                    packRow<uint16_t>(format, blocks, lane, line0, begin, filled,
                                      [&](uint32_t k) { return readAs<uint16_t>(row + k * size); });
                }
            }
            if (format == WeightFormat::f32) {
                packRow<float>(format, blocks, lane, line0, filled, end, [](uint32_t) { return 0.0f; });
            } else {
                packRow<uint16_t>(format, blocks, lane, line0, filled, end, [](uint32_t) { return uint16_t{0}; });
            }
        }
    }
}

float panelElement(WeightFormat format, uint32_t blocks, const std::byte *panel, uint32_t row, uint32_t k) {
    const size_t line = size_t{k / lineDepth(format)} * blocks * 64 + size_t{row / blockRows} * 64;
    const std::byte *p = panel + line + offsetInLine(format, row % blockRows, k);
    switch (format) {
    case WeightFormat::bf16:
        return fromBf16(readAs<uint16_t>(p));
    case WeightFormat::f16:
        return fromF16(readAs<uint16_t>(p));
    case WeightFormat::f32:
        return readAs<float>(p);
    }
    return 0.0f;
}

void readElements(const TensorView &tensor, uint64_t first, std::span<float> out) {
    const size_t size = dataTypeSize(tensor.type);
    const std::byte *p = tensor.bytes.data() + first * size;
    for (float &value : out) {
        value = elementAt(tensor.type, p);
        p += size;
    }
}

} // namespace monokernel::cpu
