#pragma once

#include "exec/gpu/driver.h"

namespace monokernel {

/// AMD devices of architecture gfx942, through libamdhip64. Adds to `why` what was found and what was not usable.
std::vector<GpuDevice> findHipDevices(std::string &why);

/// Throws ExecutionError with the driver's words.
std::unique_ptr<GpuDriver> openHipDriver(uint32_t index);

} // namespace monokernel
