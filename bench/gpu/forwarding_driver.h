#pragma once

#include "exec/gpu/driver.h"

#include <utility>

namespace bench {

/// A driver that does all by another one: for those that change a part of it.
class ForwardingDriver : public monokernel::GpuDriver {
public:
    explicit ForwardingDriver(std::unique_ptr<monokernel::GpuDriver> driver) : driver_(std::move(driver)) {}

    const monokernel::GpuDevice &device() const override { return driver_->device(); }
    uint64_t allocate(uint64_t bytes) override { return driver_->allocate(bytes); }
    monokernel::PinnedMemory allocatePinned(uint64_t bytes) override { return driver_->allocatePinned(bytes); }
    uint64_t allocateMailboxes(uint64_t bytes) override { return driver_->allocateMailboxes(bytes); }
    /// `other` is such a driver too.
    void connect(GpuDriver &other) override { driver_->connect(*dynamic_cast<ForwardingDriver &>(other).driver_); }
    void upload(uint64_t address, std::span<const std::byte> from) override { driver_->upload(address, from); }
    void download(std::span<std::byte> to, uint64_t address) override { driver_->download(to, address); }
    void clear(uint64_t address, uint64_t bytes) override { driver_->clear(address, bytes); }
    void loadKernel(const std::filesystem::path &file, std::span<const monokernel::KernelConstant> constants) override {
        driver_->loadKernel(file, constants);
    }
    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        driver_->launch(parameters, workgroups, threads, sharedBytes);
    }
    bool finished() override { return driver_->finished(); }

protected:
    monokernel::GpuDriver &driver() { return *driver_; }

private:
    std::unique_ptr<monokernel::GpuDriver> driver_;
};

} // namespace bench
