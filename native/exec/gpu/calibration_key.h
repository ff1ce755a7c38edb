#pragma once

#include "exec/gpu/gpu_executor.h"
#include "topology/calibration_file.h"

namespace monokernel {

/// Under which a device's calibration is kept.
inline CalibrationKey calibrationKey(const GpuDevice &device) {
    return {.target = device.target,
            .device = device.name,
            .driver = device.driver,
            .computeUnits = device.computeUnits,
            .memoryBytes = device.memoryBytes};
}

} // namespace monokernel
