#pragma once

#include "exec/gpu/driver.h"

namespace monokernel {

/// A device made of fibers that runs the kernel's host build with `computeUnits` workgroups, in a random order by
/// `seed`.
std::unique_ptr<GpuDriver> makeHostDriver(uint32_t computeUnits, uint64_t seed);

/// The same, whose first launch lacks its last workgroup, and whose kernel waits for `spinLimit` polls at most.
std::unique_ptr<GpuDriver> makeIncompleteHostDriver(uint32_t computeUnits, uint64_t seed, uint32_t spinLimit);

} // namespace monokernel
