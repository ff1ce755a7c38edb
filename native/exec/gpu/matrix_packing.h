#pragma once

#include "exec/gpu/kernel_target.h"
#include "kernel/parameters.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace monokernel {

/// How a weight matrix is cut for `members` workgroups a lane: the layout in kernel/parameters.h with the least
/// padding. `rowMultiple` rows stay in one workgroup. Addresses are left 0.
kernel::PackedMatrix chooseLayout(const KernelTarget &target, uint32_t laneRows, uint32_t depth, uint32_t members,
                                  uint32_t rowMultiple);

/// Bytes of one workgroup's part of one lane and layer.
uint64_t memberBytes(const KernelTarget &target, const kernel::PackedMatrix &matrix);

/// Gives `depth` bf16 values of a row.
using RowSource = std::function<std::span<const uint16_t>(uint32_t row)>;

/// Packs member `member`'s rows into `out` (memberBytes long), zeros where there is no row or no element.
void packMember(const KernelTarget &target, const kernel::PackedMatrix &matrix, uint32_t member, const RowSource &row,
                std::span<std::byte> out);

} // namespace monokernel
