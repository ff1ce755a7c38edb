#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace monokernel {

enum class DataType : uint8_t { f32, f16, bf16 };

constexpr size_t dataTypeSize(DataType type) { return type == DataType::f32 ? 4 : 2; }

/// A tensor inside a mapped file: row-major, little-endian, aligned to its element size, not owned.
struct TensorView {
    DataType type = DataType::f32;
    std::vector<uint64_t> shape;
    std::span<const std::byte> bytes;

    bool empty() const { return bytes.empty(); }
    uint64_t elementCount() const {
        uint64_t count = 1;
        for (uint64_t extent : shape) {
            count *= extent;
        }
        return shape.empty() ? 0 : count;
    }
};

} // namespace monokernel
