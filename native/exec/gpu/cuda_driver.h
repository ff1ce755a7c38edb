#pragma once

#include "exec/gpu/driver.h"

namespace monokernel {

/// NVIDIA devices of compute capability 8.0 and later, through libcuda. Adds to `why` what was found and what was not
/// usable.
std::vector<GpuDevice> findCudaDevices(std::string &why);

/// Throws ExecutionError with the driver's words.
std::unique_ptr<GpuDriver> openCudaDriver(uint32_t index);

} // namespace monokernel
