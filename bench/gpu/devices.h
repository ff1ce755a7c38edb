#pragma once

#include "forwarding_driver.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace bench {

/// The GPUs of the first kind that the kernels run on, after printing what was looked for. Throws std::runtime_error
/// without one.
inline std::vector<monokernel::GpuDevice> devicesOfOneKind() {
    std::string why;
    std::vector<monokernel::GpuDevice> devices = monokernel::findGpuDevices(why);
    std::printf("%s", why.c_str());
    if (devices.empty()) {
        throw std::runtime_error("no usable GPU");
    }
    std::erase_if(devices, [kind = devices.front().target](const auto &device) { return device.target != kind; });
    return devices;
}

/// A device that is taken for another one: with that one's kernel, multiprocessors and shared memory.
class DeviceAs final : public ForwardingDriver {
public:
    explicit DeviceAs(const monokernel::GpuDevice &device)
        : ForwardingDriver(monokernel::openGpuDriver(device)), device_(device) {}

    const monokernel::GpuDevice &device() const override { return device_; }

private:
    monokernel::GpuDevice device_;
};

/// `device` with the kernel for NVIDIA's devices from Ampere on, which newer ones run too.
inline monokernel::GpuDevice asAmpere(monokernel::GpuDevice device) {
    device.target = "sm_80";
    return device;
}

/// The same with what a graphics card of the middle has: fewer multiprocessors, 99 KB of shared memory, a display.
inline monokernel::GpuDevice asGraphicsCard(monokernel::GpuDevice device) {
    device = asAmpere(device);
    device.computeUnits = std::min(device.computeUnits, 46u);
    device.sharedBytes = 99 << 10;
    device.watched = true;
    return device;
}

/// A part of a device that passes for a device of its own: kernels on two halves of a GPU exchange words through its
/// memory as two GPUs do through theirs, but for the links between them.
class PartOfDevice final : public ForwardingDriver {
public:
    PartOfDevice(std::unique_ptr<monokernel::GpuDriver> whole, uint32_t parts)
        : ForwardingDriver(std::move(whole)), device_(driver().device()) {
        device_.computeUnits /= parts;
        device_.memoryBytes /= parts;
    }

    const monokernel::GpuDevice &device() const override { return device_; }
    void connect(GpuDriver &) override {} // the memory is one

private:
    monokernel::GpuDevice device_;
};

} // namespace bench
