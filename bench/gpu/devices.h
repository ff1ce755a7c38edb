#pragma once

#include "exec/gpu/cuda_driver.h"
#include "exec/gpu/driver.h"
#include "exec/gpu/hip_driver.h"

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

inline std::unique_ptr<monokernel::GpuDriver> openDriver(const monokernel::GpuDevice &device) {
    return device.target == "gfx942" ? monokernel::openHipDriver(device.index)
                                     : monokernel::openCudaDriver(device.index);
}

/// A part of a device that passes for a device of its own: kernels on two halves of a GPU exchange words through its
/// memory as two GPUs do through theirs, but for the links between them.
class PartOfDevice final : public monokernel::GpuDriver {
public:
    PartOfDevice(std::unique_ptr<GpuDriver> driver, uint32_t parts)
        : driver_(std::move(driver)), device_(driver_->device()) {
        device_.computeUnits /= parts;
        device_.memoryBytes /= parts;
    }

    const monokernel::GpuDevice &device() const override { return device_; }
    uint64_t allocate(uint64_t bytes) override { return driver_->allocate(bytes); }
    monokernel::PinnedMemory allocatePinned(uint64_t bytes) override { return driver_->allocatePinned(bytes); }
    uint64_t allocateMailboxes(uint64_t bytes) override { return driver_->allocateMailboxes(bytes); }
    void connect(GpuDriver &) override {} // the memory is one
    void upload(uint64_t address, std::span<const std::byte> from) override { driver_->upload(address, from); }
    void download(std::span<std::byte> to, uint64_t address) override { driver_->download(to, address); }
    void clear(uint64_t address, uint64_t bytes) override { driver_->clear(address, bytes); }
    void loadKernel(const std::filesystem::path &file) override { driver_->loadKernel(file); }
    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        driver_->launch(parameters, workgroups, threads, sharedBytes);
    }
    bool finished() override { return driver_->finished(); }

private:
    std::unique_ptr<GpuDriver> driver_;
    monokernel::GpuDevice device_;
};

} // namespace bench
