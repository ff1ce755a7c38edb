#include "exec/gpu/gpu_team.h"

#include "exec/gpu/failed_wait.h"

#include <chrono>
#include <thread>
#include <utility>

namespace monokernel {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto pollPause = std::chrono::microseconds(20);
/// Tags until all edges are cleared: packed words carry 16 bits. A request of more steps is alone with cleared edges: a
/// word of it is never as old as to be taken for a new one, as decode steps write all of theirs each time.
constexpr uint64_t packedTags = 0xffff;
constexpr auto stopTime = std::chrono::seconds(15); ///< in which a kernel has left its waits

/// One that is lost too does not run; the first error is the one to tell.
bool runsStill(GpuShard &shard) {
    try {
        return shard.running();
    } catch (const ExecutionError &) {
        return false;
    }
}

} // namespace

GpuTeam::GpuTeam(std::vector<GpuShard> shards) : shards_(std::move(shards)) { clearEdges(); }

/// Calls `body` for each device. If it throws for one, that one is lost to the launch: the others' kernels are ended
/// before the error is passed on, so that no one waits for it.
template <class Body> void GpuTeam::withAll(Body body) {
    try {
        for (GpuShard &shard : shards_) {
            body(shard);
        }
    } catch (const ExecutionError &) {
        stopAll();
        throw;
    }
}

uint32_t GpuTeam::begin(const GpuRequest &request, uint64_t steps) {
    if (!clean_ || nextTag_ + steps + 1 > packedTags) {
        clearEdges();
    }
    const auto tagBase = static_cast<uint32_t>(nextTag_);
    nextTag_ += steps + 1;
    const uint32_t launch = launches_++;
    withAll([&](GpuShard &shard) { shard.launch(request, tagBase, launch); });
    return tagBase;
}

void GpuTeam::awaitEnd(const GpuRequest &request, uint32_t tagBase, const std::atomic<bool> *cancel,
                       const std::function<void(GeneratedToken, uint32_t)> &give) {
    uint32_t given = 0;
    bool cancelled = false;
    for (bool finished = false;;) {
        GeneratedToken token;
        while (given < request.maxTokens && shards_.front().readToken(tagBase, given, token)) {
            give(token, given++);
        }
        if (finished) {
            break;
        }
        if (!cancelled && cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
            cancelled = true;
            shards_.front().say(kernel::cancelRequest);
        }
        finished = !anyRuns();
        if (!finished) {
            std::this_thread::sleep_for(pollPause);
        }
    }
}

kernel::Result GpuTeam::finish(uint32_t tagBase) {
    kernel::Result first{};
    for (GpuShard &shard : shards_) {
        kernel::Result result;
        if (!shard.readResult(tagBase, result) || result.stop == kernel::stopFailed) {
            fail(shard.readAbort());
        }
        first = &shard == &shards_.front() ? result : first;
    }
    return first;
}

/// All edges, tickets and results of all devices as new.
void GpuTeam::clearEdges() {
    clean_ = false;
    for (GpuShard &shard : shards_) {
        shard.clearEdges();
    }
    nextTag_ = 1;
    launches_ = 0;
    clean_ = true;
}

void GpuTeam::stopAll() {
    clean_ = false;
    const auto deadline = Clock::now() + stopTime;
    for (GpuShard &shard : shards_) {
        shard.say(kernel::cancelWaits);
    }
    for (GpuShard &shard : shards_) {
        while (runsStill(shard) && Clock::now() < deadline) {
            std::this_thread::sleep_for(pollPause);
        }
    }
}

/// Whether a device's kernel still runs.
bool GpuTeam::anyRuns() {
    bool any = false;
    withAll([&](GpuShard &shard) { any |= shard.running(); });
    return any;
}

/// Throws what the word of a failed wait says; the next launch finds all edges as new.
void GpuTeam::fail(uint64_t word) {
    clearEdges();
    if (word == 0) {
        throw ExecutionError("the GPU kernel ended without a result");
    }
    const FailedWait wait = readFailedWait(word);
    if (wait.edge == kernel::waitPlacement && parameters().xccs > 1) {
        for (GpuShard &shard : shards_) {
            shard.forgetDies();
        }
        throw ExecutionError("the GPU's workgroups were not spread evenly over its dies; please try again");
    }
    throw ExecutionError(describe(wait, wait.device < shards_.size() ? shards_[wait.device].name() : "the GPU"));
}

} // namespace monokernel
