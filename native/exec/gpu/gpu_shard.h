#pragma once

#include "exec/gpu/driver.h"
#include "exec/gpu/gpu_layout.h"

#include <string>

namespace monokernel {

/// What a launch is to do, the same for every device.
struct GpuRequest {
    uint32_t slot = 0, firstPosition = 0, promptLength = 0, maxTokens = 0, stopCount = 0;
    uint32_t stepWidth = kernel::maxPrefillTokens; ///< prompt tokens a step
    bool logits = false;                           ///< the rows that `wanted` names, instead of tokens
    kernel::Sampler sampler{};
};

/// One device's share of a model: its driver, its memory and the kernel parameters that describe them. What the driver
/// throws comes out with the device's name in front where there are several.
class GpuShard {
public:
    /// Allocates, and loads the kernel. `index` is the device's place among those that share the model.
    GpuShard(std::unique_ptr<GpuDriver> driver, const GpuLayout &layout, uint32_t index, const GpuOptions &options);

    /// Lets this device write into the mailboxes of all that share the model, `shards` in their order.
    void connect(std::span<const GpuShard> shards);

    /// For people: the device's name, and its number where there are several.
    std::string name() const;
    const GpuDevice &device() const { return driver_->device(); }
    const kernel::Parameters &parameters() const { return parameters_; }
    /// Of this device's own memory, whose page 0 is where the weights begin.
    const PageMap &pageMap() const { return pageMap_; }

    void upload(uint64_t address, std::span<const std::byte> from);
    void download(std::span<std::byte> to, uint64_t address);
    /// All edges and tickets as new.
    void clearEdges();
    /// Counts the dies as one from now on: roles are then handed out without regard to them.
    void forgetDies() { parameters_.xccs = 1; }

    /// Starts the kernel. No word in memory carries one of the request's tags yet, which begin with `tagBase`;
    /// `launch` counts the launches since the edges were cleared.
    void launch(const GpuRequest &request, uint32_t tagBase, uint32_t launch);
    /// Asks the driver whether the kernel has ended; false without asking where none was started.
    bool running();
    void say(kernel::Cancel word);
    /// The token ring's entry `index`, if the request with this tag base has written it.
    bool readToken(uint32_t tagBase, uint32_t index, GeneratedToken &token) const;
    /// The kernel's last words; false if it left none for the request with this tag base.
    bool readResult(uint32_t tagBase, kernel::Result &result) const;
    /// The wait that failed, 0 if none did.
    uint64_t readAbort();

private:
    template <class Call> auto named(Call call) const;

    std::unique_ptr<GpuDriver> driver_;
    const GpuLayout &layout_;
    kernel::Parameters parameters_;
    PageMap pageMap_;
    PinnedMemory pinned_;
    bool running_ = false;
};

} // namespace monokernel
