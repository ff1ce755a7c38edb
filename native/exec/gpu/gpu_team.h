#pragma once

#include "exec/gpu/gpu_shard.h"

#include <atomic>
#include <functional>
#include <vector>

namespace monokernel {

/// The devices that share a model, as one: a launch is one kernel on each. A device that fails, and a wait in vain, end
/// the launch on all of them, and the next one finds all edges as new.
class GpuTeam {
public:
    /// `shards` in the order of their lanes, connected and with their weights.
    explicit GpuTeam(std::vector<GpuShard> shards);

    std::vector<GpuShard> &shards() { return shards_; }
    const std::vector<GpuShard> &shards() const { return shards_; }
    /// What is not an address is the same on all.
    const kernel::Parameters &parameters() const { return shards_.front().parameters(); }

    /// Starts a launch of up to `steps` steps, each with a tag of its own that no word in memory carries yet; gives the
    /// first tag. Throws ExecutionError.
    uint32_t begin(const GpuRequest &request, uint64_t steps);
    /// Calls give(token, its number) for each token as it comes, until the kernels have ended. Once `cancel` is set
    /// they end with the step that they are in. Throws ExecutionError.
    void awaitEnd(const GpuRequest &request, uint32_t tagBase, const std::atomic<bool> *cancel,
                  const std::function<void(GeneratedToken, uint32_t)> &give);
    /// The first device's last words, once all have ended well. Throws ExecutionError where one has not.
    kernel::Result finish(uint32_t tagBase);

private:
    template <class Body> void withAll(Body body);
    void clearEdges();
    void stopAll();
    bool anyRuns();
    [[noreturn]] void fail(uint64_t word);

    std::vector<GpuShard> shards_;
    uint64_t nextTag_ = 1;
    uint32_t launches_ = 0;
    bool clean_ = false; ///< no edge holds what a failed launch left
};

} // namespace monokernel
