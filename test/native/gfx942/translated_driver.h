#pragma once

#include "exec/gpu/driver.h"
#include "runtime/launch.h"

#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace gfx942 {

/// How the translated kernel runs behind a TranslatedDriver.
struct TranslationOptions {
    u32 computeUnits = 8; ///< the executor launches a workgroup on each, but for some that would only carry padding
    u64 seed = 0;         ///< see LaunchOptions
    u32 slice = 400;
    u64 memoryBytes = u64{1} << 30;
    std::vector<Patch> patches;
    std::function<void(u32 die, u64 address)> streamed; ///< see LaunchOptions
    std::shared_ptr<Interconnect> box;                  ///< that the device joins; null: it stands alone
};

/// A GpuDriver whose device is this process: memory is host memory, a launch is the translation of the code object that
/// ships, run step by step inside finished(). So one thread does everything, and a seed gives the same run again. With
/// other devices in the box and a seed, finished() runs now little, now much, so that they overtake each other.
class TranslatedDriver : public monokernel::GpuDriver {
public:
    TranslatedDriver(const TranslatedKernel &kernel, const TranslationOptions &options);
    ~TranslatedDriver() override;
    TranslatedDriver(const TranslatedDriver &) = delete;
    TranslatedDriver &operator=(const TranslatedDriver &) = delete;

    const monokernel::GpuDevice &device() const override { return device_; }
    uint64_t allocate(uint64_t bytes) override;
    monokernel::PinnedMemory allocatePinned(uint64_t bytes) override;
    uint64_t allocateMailboxes(uint64_t bytes) override;
    /// `other` must be a translated device of the same box.
    void connect(GpuDriver &other) override;
    void upload(uint64_t address, std::span<const std::byte> from) override;
    void download(std::span<std::byte> to, uint64_t address) override;
    void clear(uint64_t address, uint64_t bytes) override;
    /// Throws ExecutionError when the file is not the object that was translated.
    void loadKernel(const std::filesystem::path &file,
                    std::span<const ::monokernel::KernelConstant> constants) override;
    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override;
    /// Runs some more; throws ExecutionError with the fault's message.
    bool finished() override;

    const std::shared_ptr<Interconnect> &box() const { return box_; }
    const std::optional<FaultKind> &fault() const { return fault_; }
    /// Which waits, barriers and memory accesses have run: one byte an instruction.
    const std::vector<uint8_t> &reached() const { return reached_; }
    /// Wave-instructions of all launches.
    u64 executed() const { return executed_; }
    /// Of the latest launch.
    u32 workgroups() const { return workgroups_; }

private:
    uint64_t allocate(uint64_t bytes, MemoryKind kind);
    u64 instructionsThisTurn();
    void checkRange(uint64_t address, uint64_t bytes, const char *what) const;

    const TranslatedKernel &kernel_;
    TranslationOptions options_;
    monokernel::GpuDevice device_;
    DeviceMemory memory_;
    std::shared_ptr<Interconnect> box_;
    u32 number_; ///< in the box
    std::minstd_rand random_;
    u32 pace_ = 0, turnsAtPace_ = 0;
    uint64_t codeBase_ = 0, parameters_ = 0;
    std::unique_ptr<Launch> launch_;
    std::optional<FaultKind> fault_;
    u64 executed_ = 0;
    u32 workgroups_ = 0;
    std::vector<uint8_t> reached_;
};

} // namespace gfx942
