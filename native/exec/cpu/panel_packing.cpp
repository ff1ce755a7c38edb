#include "exec/cpu/panel_packing.h"

#include <algorithm>
#include <bit>
#include <cmath>
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
    case WeightFormat::int8:
        return lane * 4 + (k & 3);
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

/// Line of a panel of int8 in which a group's elements begin, and the one with its scales.
size_t firstLine(uint32_t group) { return quantizedLines(group) + (group % 2 == 0 ? 1 : 0); }
size_t scaleLine(uint32_t group) { return quantizedLines(group & ~1u); }

/// A group of one row as it is stored.
struct StoredGroup {
    uint16_t scale; ///< bf16
    std::array<uint8_t, groupDepth> values;
};

/// The bf16 at or above a value that is not negative; what is not finite stays so.
uint16_t roundUpToBf16(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    return static_cast<uint16_t>((bits >> 16) + (std::isfinite(value) && (bits & 0xffffu) != 0 ? 1 : 0));
}

StoredGroup quantize(std::span<const float, groupDepth> values) {
    constexpr float smallest = 1e-30f; // Smaller groups count as zeros: 1 / scale must be finite.
    float largest = 0.0f;
    for (const float value : values) {
        largest = std::isnan(largest) || std::abs(value) <= largest ? largest : std::abs(value);
    }
    StoredGroup group{};
    group.values.fill(128);
    if (largest < smallest) {
        return group;
    }
    group.scale = roundUpToBf16(largest / 127.0f);
    if (std::isfinite(largest)) {
        const float inverse = 1.0f / fromBf16(group.scale);
        std::ranges::transform(values, group.values.begin(),
                               [&](float value) { return static_cast<uint8_t>(128 + std::lrint(value * inverse)); });
    }
    return group;
}

/// One row's groups, to where they lie in a panel of int8 with `blocks` blocks; `block0` is the row's block in the
/// first line.
void packQuantized(const SourceRow &source, uint32_t blocks, uint32_t lane, uint32_t depth, std::byte *block0) {
    const size_t lineBytes = size_t{blocks} * 64;
    for (uint32_t group = 0; group * groupDepth < depth; group++) {
        std::array<float, groupDepth> values{};
        if (source.tensor != nullptr) {
            const uint32_t first = group * groupDepth;
            readElements(*source.tensor, source.row * depth + first,
                         std::span(values).first(std::min(groupDepth, depth - first)));
        }
        const StoredGroup stored = quantize(values);
        std::byte *const scale = block0 + scaleLine(group) * lineBytes + lane * 4 + (group & 1) * 2;
        std::memcpy(scale, &stored.scale, sizeof stored.scale);
        std::byte *const elements = block0 + firstLine(group) * lineBytes + lane * 4;
        for (uint32_t k = 0; k < groupDepth; k += 4) {
            std::memcpy(elements + k / 4 * lineBytes, stored.values.data() + k, 4);
        }
    }
}

} // namespace

WeightFormat exactFormat(std::span<const DataType> types) {
    const bool same = std::all_of(types.begin(), types.end(), [&](DataType type) { return type == types.front(); });
    if (!same || types.front() == DataType::f32) {
        return WeightFormat::f32;
    }
    return types.front() == DataType::bf16 ? WeightFormat::bf16 : WeightFormat::f16;
}

void packPanel(WeightFormat format, uint32_t blocks, uint32_t depth, const PanelSource &source, std::byte *out) {
    if (format == WeightFormat::int8) {
        for (uint32_t r = 0; r < blocks * blockRows; r++) {
            packQuantized(source[r], blocks, r % blockRows, depth, out + size_t{r / blockRows} * 64);
        }
        return;
    }
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
    const size_t lineBytes = size_t{blocks} * 64;
    const uint32_t lane = row % blockRows, group = k / groupDepth;
    const std::byte *block0 = panel + size_t{row / blockRows} * 64;
    const size_t line = format == WeightFormat::int8 ? firstLine(group) + k % groupDepth / 4 : k / lineDepth(format);
    const std::byte *p = block0 + line * lineBytes + offsetInLine(format, lane, k);
    switch (format) {
    case WeightFormat::bf16:
        return fromBf16(readAs<uint16_t>(p));
    case WeightFormat::f16:
        return fromF16(readAs<uint16_t>(p));
    case WeightFormat::f32:
        return readAs<float>(p);
    case WeightFormat::int8: {
        const std::byte *scale = block0 + scaleLine(group) * lineBytes + offsetInLine(WeightFormat::bf16, lane, group);
        return static_cast<float>(readAs<uint8_t>(p) - 128) * fromBf16(readAs<uint16_t>(scale));
    }
    }
    return 0.0f;
}

void readPanelRow(WeightFormat format, uint32_t blocks, const std::byte *panel, uint32_t row, std::span<float> out) {
    if (format != WeightFormat::int8) {
        for (uint32_t k = 0; k < out.size(); k++) {
            out[k] = panelElement(format, blocks, panel, row, k);
        }
        return;
    }
    const size_t lineBytes = size_t{blocks} * 64;
    const std::byte *words = panel + size_t{row / blockRows} * 64 + size_t{row % blockRows} * 4;
    for (uint32_t group = 0; group * groupDepth < out.size(); group++) {
        const std::byte *from = words + firstLine(group) * lineBytes;
        const float scale = fromBf16(readAs<uint16_t>(words + scaleLine(group) * lineBytes + (group & 1) * 2));
        const std::span<float> to = out.subspan(group * groupDepth);
        for (uint32_t k = 0; k < std::min<size_t>(groupDepth, to.size()); k++) {
            to[k] = static_cast<float>(readAs<uint8_t>(from + k / 4 * lineBytes + k % 4) - 128) * scale;
        }
    }
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
