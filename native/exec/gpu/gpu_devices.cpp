#include "exec/gpu/cuda_driver.h"
#include "exec/gpu/driver.h"
#include "exec/gpu/hip_driver.h"

namespace monokernel {

std::vector<GpuDevice> findGpuDevices(std::string &why) {
    std::vector<GpuDevice> devices = findHipDevices(why);
    const std::vector<GpuDevice> cuda = findCudaDevices(why);
    devices.insert(devices.end(), cuda.begin(), cuda.end());
    return devices;
}

std::unique_ptr<GpuDriver> openGpuDriver(const GpuDevice &device) {
    return device.target == "gfx942" ? openHipDriver(device.index) : openCudaDriver(device.index);
}

} // namespace monokernel
