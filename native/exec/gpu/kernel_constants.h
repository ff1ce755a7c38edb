#pragma once

#include "kernel/parameters.h"

#include <cstdint>
#include <vector>

namespace monokernel {

/// A 4-byte field of a kernel's parameters that has the same value in every launch of a loaded kernel.
struct KernelConstant {
    uint32_t offset; ///< in the parameters, in bytes
    uint32_t bits;
};

/// The parameters that the model and the grid alone decide, not a request: what a kernel that is compiled where it runs
/// can be compiled for. Addresses are not among them, so that the driver's cache of compiled kernels finds it again.
std::vector<KernelConstant> kernelConstants(const kernel::Parameters &parameters);

} // namespace monokernel
