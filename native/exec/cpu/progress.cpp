#include "exec/cpu/progress.h"

#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace monokernel::cpu {

namespace {

void pauseBriefly() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Looks at the flag before a wait counts as long: some ten microseconds.
constexpr uint32_t shortSpins = 500;
/// Looks at the flag between two looks at the clock.
constexpr uint32_t spinsPerClock = 64;

} // namespace

Progress::Progress(uint32_t workers, std::chrono::nanoseconds bound, bool crowded)
    : ticks_(workers), bound_(bound), crowded_(crowded) {}

void Progress::reset() {
    for (Tick &tick : ticks_) {
        tick.value.store(0, std::memory_order_relaxed);
    }
    leave_.store(Leave::no, std::memory_order_relaxed);
}

void Progress::leave(Leave reason) {
    Leave none = Leave::no;
    leave_.compare_exchange_strong(none, reason, std::memory_order_acq_rel);
}

bool Progress::wait(uint32_t first, uint32_t end, uint64_t tick, uint32_t edge) {
    for (uint32_t worker = first; worker < end; worker++) {
        const std::atomic<uint64_t> &value = ticks_[worker].value;
        uint32_t spins = 0;
        while (value.load(std::memory_order_acquire) < tick) {
            if (++spins < shortSpins) {
                pauseBriefly();
            } else if (!waitLong(worker, tick, edge)) {
                return false;
            }
        }
    }
    return leaving() == Leave::no;
}

/// The other worker has probably lost its core. Spinning on costs least as long as each worker has a core of its own
/// (giving it away makes the other one's return slower, as measured); otherwise the other one may need this very core.
bool Progress::waitLong(uint32_t worker, uint64_t tick, uint32_t edge) {
    const auto start = std::chrono::steady_clock::now();
    while (ticks_[worker].value.load(std::memory_order_acquire) < tick) {
        if (leaving() != Leave::no) {
            return false;
        }
        for (uint32_t i = 0; i < spinsPerClock && ticks_[worker].value.load(std::memory_order_relaxed) < tick; i++) {
            pauseBriefly();
        }
        if (crowded_) {
            std::this_thread::yield();
        }
        if (std::chrono::steady_clock::now() - start > bound_) {
            expire(worker, edge);
            return false;
        }
    }
    return true;
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
