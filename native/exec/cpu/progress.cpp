#include "exec/cpu/progress.h"

#include "exec/cpu/spin_wait.h"

#include <algorithm>
#include <utility>

namespace monokernel::cpu {

namespace {

/// A hand-off takes 0.2 microseconds, and workers with equal shares arrive within some ten of each other. A worker
/// whose core was taken is away for a scheduler's slice, one to several milliseconds.
constexpr std::chrono::microseconds longestHandOff{200};

} // namespace

Progress::Progress(uint32_t workers, std::chrono::nanoseconds bound, bool crowded)
    : ticks_(workers), bound_(bound), crowded_(crowded) {}

void Progress::reset() {
    for (Tick &tick : ticks_) {
        tick.value.store(0, std::memory_order_relaxed);
        tick.lost = {};
    }
    leave_.store(Leave::no, std::memory_order_relaxed);
}

void Progress::leave(Leave reason) {
    Leave none = Leave::no;
    leave_.compare_exchange_strong(none, reason, std::memory_order_acq_rel);
}

bool Progress::wait(uint32_t self, uint32_t first, uint32_t end, uint64_t tick, uint32_t edge) {
    for (uint32_t worker = first; worker < end; worker++) {
        const std::atomic<uint64_t> &value = ticks_[worker].value;
        if (value.load(std::memory_order_acquire) >= tick) {
            continue;
        }
        SpinWait spin(bound_, crowded_);
        do {
            if (leaving() != Leave::no) {
                return false;
            }
            if (!spin.pause()) {
                expire(worker, edge);
                return false;
            }
        } while (value.load(std::memory_order_acquire) < tick);
        if (const auto waited = spin.waited(); waited > longestHandOff) {
            ticks_[self].lost += waited;
        }
    }
    return leaving() == Leave::no;
}

std::chrono::nanoseconds Progress::takeLostTime(uint32_t workers) {
    std::chrono::nanoseconds most{0};
    for (uint32_t worker = 0; worker < workers; worker++) {
        most = std::max(most, std::exchange(ticks_[worker].lost, std::chrono::nanoseconds{0}));
    }
    return most;
}

void Progress::expire(uint32_t worker, uint32_t edge) {
    Leave none = Leave::no;
    if (leave_.load() == Leave::no) {
        expiredEdge_.store(edge, std::memory_order_relaxed);
        expiredWorker_.store(worker, std::memory_order_relaxed);
    }
    leave_.compare_exchange_strong(none, Leave::expired, std::memory_order_acq_rel);
}

} // namespace monokernel::cpu
