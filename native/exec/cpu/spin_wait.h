#pragma once

#include <chrono>
#include <cstdint>

namespace monokernel::cpu {

/// One wait for another worker: it spins. With more workers than cores (`crowded`) the other one may need this very
/// core, so then it is given away. Else a wait that lasts shows that the other one has lost its core, and then it naps
/// in between: who spins on burns his slice of a core that others want too, and beside two busy processes on two cores
/// the workers' slices came to alternate, so that neither ever ran while the other did and each slice did one phase.
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
