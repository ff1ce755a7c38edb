#pragma once

#include "exec/gpu/driver.h"

namespace monokernel {

/// A device made of fibers that runs the kernel's host build with `computeUnits` workgroups, in a random order by
/// `seed`. `index` is its number among the devices.
std::unique_ptr<GpuDriver> makeHostDriver(uint32_t computeUnits, uint64_t seed, uint32_t index = 0);

/// The same, whose first launch lacks its last workgroup, and whose kernel waits for `spinLimit` polls at most.
std::unique_ptr<GpuDriver> makeIncompleteHostDriver(uint32_t computeUnits, uint64_t seed, uint32_t spinLimit,
                                                    uint32_t index = 0);

} // namespace monokernel
