#pragma once

#include "exec/gpu/gpu_layout.h"

#include <cstdint>

namespace monokernel {

/// Elements of a product's input that a workgroup has room for beside everything else, the shortest ring of weights
/// included.
uint32_t mostStagedElements(const KernelTarget &target);

/// Lays out a workgroup's shared memory: the staged input (attention's scratch in its place), partial sums, norm sums
/// and attention weights, the ring of weight tiles. Throws LaneTooWideError where it does not fit.
void describeSharedMemory(GpuLayout &layout);

} // namespace monokernel
