#pragma once

#include "exec/gpu/gpu_executor.h"
#include "exec/gpu/kernel_constants.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace monokernel {

/// Host memory that the device reads and writes while a kernel runs: request, token ring, cancel word.
struct PinnedMemory {
    std::byte *host = nullptr;
    uint64_t device = 0;
};

/// One device as the executor needs it: real ones are HipDriver and CudaDriver (dlopen), tests give one that runs the
/// translated gfx942 object. Every method throws ExecutionError with the driver's own words; memory is freed with the
/// driver.
class GpuDriver {
public:
    virtual ~GpuDriver() = default;
    virtual const GpuDevice &device() const = 0;

    virtual uint64_t allocate(uint64_t bytes) = 0;
    virtual PinnedMemory allocatePinned(uint64_t bytes) = 0;
    /// Memory of this device that kernels of other devices store to while kernels of this one poll it.
    virtual uint64_t allocateMailboxes(uint64_t bytes) = 0;
    /// Lets kernels of this device store to `other`'s mailboxes, at the addresses that `other` has for them. Both are
    /// of one kind.
    virtual void connect(GpuDriver &other) = 0;
    virtual void upload(uint64_t address, std::span<const std::byte> from) = 0;
    virtual void download(std::span<std::byte> to, uint64_t address) = 0;
    virtual void clear(uint64_t address, uint64_t bytes) = 0;

    /// Loads the code object or PTX in the place of an earlier one and finds its one entry point, "monokernel". PTX is
    /// compiled for `constants`, with which all launches of it have to agree; a code object takes what it is given.
    virtual void loadKernel(const std::filesystem::path &file, std::span<const KernelConstant> constants) = 0;
    /// Starts the kernel cooperatively (all workgroups co-resident) and returns; `parameters` is the kernel's one
    /// struct.
    virtual void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                        uint32_t sharedBytes) = 0;
    /// False while the kernel runs.
    virtual bool finished() = 0;
};

/// The driver of a device that findGpuDevices found. Throws ExecutionError where it cannot be had.
std::unique_ptr<GpuDriver> openGpuDriver(const GpuDevice &device);

/// Runs the monokernel through any drivers of one target, whose devices share the model: a Laneformer's lanes are dealt
/// out to them in order, a plain transformer is run tensor-parallel. Throws ExecutionError where the model cannot be
/// shared out evenly or a device cannot reach another's memory.
std::unique_ptr<Executor> makeGpuExecutor(std::vector<std::unique_ptr<GpuDriver>> drivers, const Model &model,
                                          const GpuOptions &options, const std::function<void(double)> &progress);
std::unique_ptr<Executor> makeGpuExecutor(std::unique_ptr<GpuDriver> driver, const Model &model,
                                          const GpuOptions &options, const std::function<void(double)> &progress);

} // namespace monokernel
