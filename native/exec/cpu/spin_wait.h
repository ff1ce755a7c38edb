#pragma once

#include <chrono>
#include <cstdint>

namespace monokernel::cpu {

/// One wait for another worker: it spins. When that worker has lost its core, spinning on costs least as long as each
/// worker has a core of its own (giving it away makes the other one's return slower, as measured); with more workers
/// than cores (`crowded`) the other one may need this very core, so then it is given away.
class SpinWait {
public:
    SpinWait(std::chrono::nanoseconds bound, bool crowded) : bound_(bound), crowded_(crowded) {}

    /// Pauses for some nanoseconds. False once the wait has lasted longer than its bound.
    bool pause();

    /// How long the wait has lasted; 0 for one of less than some ten microseconds, which is not timed.
    std::chrono::nanoseconds waited() const;

private:
    using Clock = std::chrono::steady_clock;

    std::chrono::nanoseconds bound_;
    bool crowded_;
    uint32_t pauses_ = 0;
    Clock::time_point start_{};
};

} // namespace monokernel::cpu
