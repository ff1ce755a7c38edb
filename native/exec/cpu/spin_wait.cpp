#include "exec/cpu/spin_wait.h"

#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace monokernel::cpu {

namespace {

/// Pauses before a wait is timed: some ten microseconds.
constexpr uint32_t shortPauses = 500;
/// Pauses between two looks at the clock.
constexpr uint32_t pausesPerClock = 64;

/// Only the largest matrices' workers with cores of their own arrive so far apart.
constexpr std::chrono::microseconds longestSpin{500};
/// Some 70 with the system's slack: not much beside what was waited.
constexpr std::chrono::microseconds nap{20};

void pauseBriefly() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

} // namespace

bool SpinWait::pause() {
    pauseBriefly();
    pauses_++;
    if (pauses_ < shortPauses || pauses_ % pausesPerClock != 0) {
        return true;
    }
    if (crowded_) {
        std::this_thread::yield();
    }
    const Clock::time_point now = Clock::now();
    if (start_ == Clock::time_point{}) {
        start_ = now;
    }
    if (!crowded_ && now - start_ > longestSpin) {
        std::this_thread::sleep_for(nap);
    }
    return now - start_ <= bound_;
}

std::chrono::nanoseconds SpinWait::waited() const {
    return start_ == Clock::time_point{} ? std::chrono::nanoseconds{0} : Clock::now() - start_;
}

} // namespace monokernel::cpu
