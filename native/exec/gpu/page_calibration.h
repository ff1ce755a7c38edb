#pragma once

#include "exec/gpu/driver.h"
#include "topology/calibration_file.h"
#include "topology/device_shape.h"
#include "topology/page_fit.h"

#include <filesystem>
#include <optional>

namespace monokernel {

struct PageCalibrationOptions {
    std::filesystem::path kernelFolder; ///< holds page_homes.gfx942.co and so on
    uint32_t pages = 4 * 1792;          ///< contiguous; four of the published periods
    uint32_t rounds = 5;
    uint32_t trips = 48; ///< of a word, in each round and page
    uint32_t spinLimit = 4'000'000;
};

/// Measures which pages of a device's memory are near which of its dies (kernel/page_homes.cpp) and fits a map. Where
/// the result is not certain, or the device has no dies to place by, the map is the identity and `reason` says what was
/// seen. Nothing else may run on the device meanwhile. Throws ExecutionError when the driver fails.
/// MI300X: this has been run on translated code only, never on the hardware.
Calibration calibratePages(GpuDriver &driver, const DeviceShape &shape, const PageCalibrationOptions &options);

/// The map of an allocation of this device: `map`, as calibrated, at the rotation that a probe of the allocation's
/// first and last pages gives; the identity when that is not certain. To be called before anything is in these pages,
/// which it leaves cleared, and before the driver's kernel is loaded (it loads its own).
PageMap locateAllocation(GpuDriver &driver, const DeviceShape &shape, const PageMap &map, uint64_t address,
                         uint64_t bytes, const PageCalibrationOptions &options);

} // namespace monokernel
