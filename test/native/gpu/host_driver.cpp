#include "host_driver.h"

#include "kernel/monokernel.cpp" // the kernel itself, built for the host

#include <algorithm>
#include <cstring>
#include <utility>

namespace monokernel {

namespace {

class HostDriver final : public GpuDriver {
public:
    HostDriver(uint32_t computeUnits, uint64_t seed, uint32_t index, uint32_t missing, uint32_t spinLimit)
        : seed_(seed), missing_(missing), spinLimit_(spinLimit) {
        device_ = {"host", "fibers", index, computeUnits, 0};
    }

    const GpuDevice &device() const override { return device_; }

    uint64_t allocate(uint64_t bytes) override {
        memory_.emplace_back(static_cast<std::byte *>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096)),
                             &std::free);
        std::byte *memory = memory_.back().get();
        if (memory == nullptr) {
            throw ExecutionError("no memory");
        }
        std::memset(memory, 0xff, bytes); // every float a NaN
        return reinterpret_cast<uint64_t>(memory);
    }
    uint64_t allocateMailboxes(uint64_t bytes) override { return allocate(bytes); }
    void connect(GpuDriver &) override {} // one address space
    PinnedMemory allocatePinned(uint64_t bytes) override {
        const uint64_t address = allocate(bytes);
        std::memset(reinterpret_cast<void *>(address), 0, bytes);
        return {reinterpret_cast<std::byte *>(address), address};
    }
    void upload(uint64_t address, std::span<const std::byte> from) override {
        std::memcpy(reinterpret_cast<void *>(address), from.data(), from.size());
    }
    void download(std::span<std::byte> to, uint64_t address) override {
        std::memcpy(to.data(), reinterpret_cast<const void *>(address), to.size());
    }
    void clear(uint64_t address, uint64_t bytes) override { std::memset(reinterpret_cast<void *>(address), 0, bytes); }
    void loadKernel(const std::filesystem::path &, std::span<const KernelConstant>) override {}

    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        kernel::Parameters p;
        std::memcpy(&p, parameters.data(), sizeof p);
        p.spinLimit = std::min(p.spinLimit, spinLimit_);
        grid_ = std::make_unique<kernel::host::Grid>(
            workgroups - std::exchange(missing_, 0), threads, sharedBytes, [p] { kernel::monokernel(p); }, seed_++);
    }
    bool finished() override { return grid_->step(); }

private:
    GpuDevice device_;
    uint64_t seed_;
    uint32_t missing_; ///< workgroups that the next launch lacks
    uint32_t spinLimit_;
    std::vector<std::unique_ptr<std::byte, decltype(&std::free)>> memory_;
    std::unique_ptr<kernel::host::Grid> grid_;
};

} // namespace

std::unique_ptr<GpuDriver> makeHostDriver(uint32_t computeUnits, uint64_t seed, uint32_t index) {
    return std::make_unique<HostDriver>(computeUnits, seed, index, 0, ~0u);
}

std::unique_ptr<GpuDriver> makeIncompleteHostDriver(uint32_t computeUnits, uint64_t seed, uint32_t spinLimit,
                                                    uint32_t index) {
    return std::make_unique<HostDriver>(computeUnits, seed, index, 1, spinLimit);
}

} // namespace monokernel
