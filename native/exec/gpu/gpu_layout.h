#pragma once

#include "exec/gpu/gpu_executor.h"
#include "exec/gpu/kernel_target.h"
#include "kernel/parameters.h"
#include "plan/plan.h"

#include <cstdint>

namespace monokernel {

/// A plan lowered to one device: how many workgroups, how the weights are cut, where everything lies. The addresses in
/// `parameters` are offsets from the device memory's start until they are rebased.
struct GpuLayout {
    KernelTarget target;
    kernel::Parameters parameters{};
    uint32_t slots = 0;
    uint32_t sharedBytes = 0;
    uint32_t tokenCapacity = 0, stopCapacity = 0, logitsCapacity = 0;
    uint64_t weightBytes = 0;              ///< the packed matrices, from offset 0 on
    uint64_t edgesBegin = 0, edgesEnd = 0; ///< what must be 0 before the first launch
    uint64_t totalBytes = 0;
};

/// Throws ExecutionError for a shape that the kernel cannot run, naming the limit.
GpuLayout layOut(const Plan &plan, const GpuDevice &device, const GpuOptions &options);

/// Turns the layout's offsets into addresses.
void rebase(kernel::Parameters &parameters, uint64_t base);

} // namespace monokernel
