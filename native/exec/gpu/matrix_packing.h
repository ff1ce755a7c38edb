#pragma once

#include "exec/gpu/kernel_target.h"
#include "kernel/parameters.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace monokernel {

/// Demands on how a matrix is cut.
struct CutRules {
    uint32_t rowMultiple = 1;  ///< so many neighbouring rows stay in one workgroup and panel, pairs of them in one run
    bool ownSlices = false;    ///< every wave has a part of the inner dimension of its own: the input is normed
    uint32_t depthWaves = 0;   ///< exactly so many waves share the inner dimension; 0: the layout may choose
    uint32_t mostStaged = ~0u; ///< elements that a workgroup has room to stage, if any layout keeps to it
};

/// How a weight matrix is cut for `members` workgroups a lane: the layout in kernel/parameters.h with the least
/// padding. Addresses are left 0.
kernel::PackedMatrix chooseLayout(const KernelTarget &target, uint32_t laneRows, uint32_t depth, uint32_t members,
                                  const CutRules &rules);

/// Elements that a workgroup stages for a matrix in a decode step: each wave its part of the inner dimension.
uint32_t stagedElements(const KernelTarget &target, const kernel::PackedMatrix &matrix);

/// Bytes of one workgroup's part of one lane and layer.
uint64_t memberBytes(const KernelTarget &target, const kernel::PackedMatrix &matrix);

/// Where in its block (bytes) the matrix cores of a target want element `element` (0 to 31) of row `row`.
uint32_t elementOffset(const KernelTarget &target, uint32_t blockRows, uint32_t row, uint32_t element);

/// Gives `depth` bf16 values of a row.
using RowSource = std::function<std::span<const uint16_t>(uint32_t row)>;

/// Packs member `member`'s rows into `out` (memberBytes long), zeros where there is no row or no element.
void packMember(const KernelTarget &target, const kernel::PackedMatrix &matrix, uint32_t member, const RowSource &row,
                std::span<std::byte> out);

} // namespace monokernel
