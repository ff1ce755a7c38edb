#pragma once

#include "exec/gpu/gpu_executor.h"
#include "exec/gpu/kernel_target.h"
#include "kernel/parameters.h"
#include "plan/plan.h"

#include <cstdint>

namespace monokernel {

/// A plan lowered to the devices that share it, each of which has as many of its lanes: how many workgroups, how the
/// weights are cut, where everything lies. `parameters` are device 0's; the addresses in them are offsets from the
/// start of a device's own memory or, for mailboxes, of its mailboxes, until they are rebased.
struct GpuLayout {
    KernelTarget target;
    kernel::Parameters parameters{};
    PageMap pageMap; ///< of the devices' memory, at some rotation; the identity where nothing is placed by it
    uint32_t slots = 0;
    uint32_t sharedBytes = 0;
    uint32_t tokenCapacity = 0, stopCapacity = 0, logitsCapacity = 0;
    uint64_t weightBytes = 0;              ///< the packed matrices, from offset 0 on
    uint64_t edgesBegin = 0, edgesEnd = 0; ///< what must be 0 before the first launch
    uint64_t mailboxEdgesEnd = 0;          ///< likewise of the mailboxes, from their offset 0 on
    uint64_t ownBytes = 0, mailboxBytes = 0;

    uint64_t totalBytes() const { return ownBytes + mailboxBytes; } ///< on each device
};

/// The layout for `devices` devices like `device`. Throws ExecutionError for a shape that the kernel cannot run, or
/// that cannot be shared by so many, naming the limit.
GpuLayout layOut(const Plan &plan, const GpuDevice &device, const GpuOptions &options, uint32_t devices = 1);

/// The parameters of device `index` of those that share the model, with offsets for addresses.
kernel::Parameters parametersOf(const GpuLayout &layout, uint32_t index);

/// Turns the layout's offsets into addresses.
void rebase(kernel::Parameters &parameters, uint64_t own, uint64_t mailboxes);

} // namespace monokernel
