#pragma once

#include "exec/cpu/kernels/kernels.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

namespace monokernel::cpu {

/// How far each worker is, as a tick that only grows: every worker stores its own and reads the others', so a hand-off
/// is one store and one load. Also the one flag by which a request is left early.
class Progress {
public:
    enum class Leave : uint8_t { no, cancelled, expired, failed };

    /// `bound`: how long a wait may last. `crowded`: more workers than cores, so that waiting must give the core away.
    Progress(uint32_t workers, std::chrono::nanoseconds bound, bool crowded);

    /// Before a request: all ticks 0, nobody leaves. No worker may be running.
    void reset();

    void publish(uint32_t worker, uint64_t tick) { ticks_[worker].value.store(tick, std::memory_order_release); }

    /// Worker `self` waits until workers [first, end) have reached `tick`: true; what they wrote before is then
    /// visible. False when the request is being left; a wait that lasts longer than the bound makes it so, and records
    /// `edge`.
    bool wait(uint32_t self, uint32_t first, uint32_t end, uint64_t tick, uint32_t edge);

    /// What the worker that waited longest lost since the last call in waits that were far too long for a hand-off.
    /// Between steps only: workers [0, workers) must have published the end of theirs, which the caller has waited for.
    std::chrono::nanoseconds takeLostTime(uint32_t workers);

    /// Makes every worker leave the request at its next wait or check. The first reason stays.
    void leave(Leave reason);
    Leave leaving() const { return leave_.load(std::memory_order_acquire); }

    /// Leaves because `worker` has not delivered `edge` within the bound.
    void expire(uint32_t worker, uint32_t edge);
    uint32_t expiredEdge() const { return expiredEdge_.load(std::memory_order_relaxed); }
    uint32_t expiredWorker() const { return expiredWorker_.load(std::memory_order_relaxed); }

    std::chrono::nanoseconds bound() const { return bound_; }
    bool crowded() const { return crowded_; }

private:
    struct alignas(128) Tick {
        std::atomic<uint64_t> value{0};
        std::chrono::nanoseconds lost{0}; ///< written by its worker before a tick, read by worker 0 after it
    };

    std::vector<Tick> ticks_;
    alignas(128) std::atomic<Leave> leave_{Leave::no};
    std::atomic<uint32_t> expiredEdge_{0};
    std::atomic<uint32_t> expiredWorker_{0};
    std::chrono::nanoseconds bound_;
    bool crowded_;
};

} // namespace monokernel::cpu
