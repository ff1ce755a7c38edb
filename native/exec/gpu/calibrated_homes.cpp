#include "exec/gpu/calibrated_homes.h"

#include "exec/gpu/calibration_key.h"
#include "exec/gpu/driver.h"
#include "exec/gpu/page_calibration.h"

#include <algorithm>

namespace monokernel {

PageHomes calibratedHomes(std::span<const GpuDevice> devices, const std::filesystem::path &calibrations,
                          const std::filesystem::path &kernelFolder, std::string &said) {
    const GpuDevice &first = devices.front();
    if (deviceShape(first.target, first.computeUnits).homes < 2) {
        return {};
    }
    if (std::ranges::any_of(
            devices, [&](const GpuDevice &device) { return !(calibrationKey(device) == calibrationKey(first)); })) {
        said = "the devices differ, so their memory is not placed by die";
        return {};
    }
    std::string message;
    const std::optional<Calibration> found = readCalibration(calibrations, calibrationKey(first), message);
    if (!found) {
        said = message.empty() ? "which memory is near which die was never measured" : message;
        return {};
    }
    if (found->map.isIdentity()) {
        said = "which memory is near which die is not certain: " + found->reason;
        return {};
    }
    const auto locate = [map = found->map, kernelFolder](GpuDriver &driver, uint64_t address, uint64_t bytes) {
        const GpuDevice &device = driver.device();
        return locateAllocation(driver, deviceShape(device.target, device.computeUnits), map, address, bytes,
                                {.kernelFolder = kernelFolder});
    };
    return {found->map, locate};
}

} // namespace monokernel
