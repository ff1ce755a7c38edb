#pragma once

#include "exec/gpu/gpu_executor.h"

#include <cstdio>
#include <stdexcept>

namespace bench {

/// The first GPU that the kernels run on, after printing what was looked for. Throws std::runtime_error without one.
inline monokernel::GpuDevice firstDevice() {
    std::string why;
    const std::vector<monokernel::GpuDevice> devices = monokernel::findGpuDevices(why);
    std::printf("%s", why.c_str());
    if (devices.empty()) {
        throw std::runtime_error("no usable GPU");
    }
    return devices.front();
}

} // namespace bench
