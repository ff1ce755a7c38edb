#pragma once

#include "exec/cpu/kernels/kernels.h"
#include "model/tensor.h"

#include <array>
#include <cstddef>
#include <span>

namespace monokernel::cpu {

/// Where one row of a panel comes from: row `row` of `tensor` seen as [rows, depth]; no tensor makes a row of zeros.
struct SourceRow {
    const TensorView *tensor = nullptr;
    uint64_t row = 0;
};

/// The rows of one panel, 16 a block.
using PanelSource = std::array<SourceRow, panelRows>;

/// The format that keeps every element of tensors of these types exactly.
WeightFormat exactFormat(std::span<const DataType> types);

/// Writes `blocks` blocks of rows of `depth` elements to `out` (panelBytes() bytes); a depth that does not fill its
/// last line or group is filled with zeros. Into int8 each group of a row is quantised with the scale that brings its
/// largest magnitude to 127, or to little less, because scales are rounded up to bf16.
void packPanel(WeightFormat format, uint32_t blocks, uint32_t depth, const PanelSource &source, std::byte *out);

/// Element `k` of row `row` of a packed panel.
float panelElement(WeightFormat format, uint32_t blocks, const std::byte *panel, uint32_t row, uint32_t k);

/// The first elements of row `row`, as many as `out` holds.
void readPanelRow(WeightFormat format, uint32_t blocks, const std::byte *panel, uint32_t row, std::span<float> out);

/// `count` elements of `tensor` from element `first` on, as f32.
void readElements(const TensorView &tensor, uint64_t first, std::span<float> out);

} // namespace monokernel::cpu
