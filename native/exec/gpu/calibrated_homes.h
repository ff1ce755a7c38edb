#pragma once

#include "exec/gpu/gpu_executor.h"

namespace monokernel {

/// What calibrations kept for these devices say of their memory, for makeGpuExecutor; the identity where one of them
/// was never calibrated, where they differ, or where the device has no dies. `said` tells which, for the log.
PageHomes calibratedHomes(std::span<const GpuDevice> devices, const std::filesystem::path &calibrations,
                          const std::filesystem::path &kernelFolder, std::string &said);

} // namespace monokernel
