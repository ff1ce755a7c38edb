#pragma once

#include "exec/gpu/driver.h"

namespace monokernel {

/// A device made of fibers that runs the kernel's host build with `computeUnits` workgroups, in a random order by
/// `seed`.
std::unique_ptr<GpuDriver> makeHostDriver(uint32_t computeUnits, uint64_t seed);

} // namespace monokernel
