#pragma once

#include "exec/cpu/worker_count.h"

#include <vector>

namespace monokernel::cpu {

/// Finds the worker count that gives the shortest mean time a token while other programs come and go: a hill climber
/// over counts whose only inputs are the steps' timings and the time that it is told.
///
/// Down: when steps lose time in far too long hand-offs and fewer workers are quicker, or not yet known to be slower.
/// Up: after a while it tries the larger count again for a few steps (a probe) and stays if those are quicker. Each
/// decision that turns out to be wrong doubles the time until the same thing is tried again.
class LoadController {
public:
    using Time = WorkerCountPolicy::Time;

    explicit LoadController(uint32_t most);

    /// The count for a step that starts now; may begin a probe.
    uint32_t choose(Time now);

    /// A step with the count that was chosen last; fewer workers than that: some had not woken up in time.
    void observe(const StepTiming &timing, Time now);

private:
    using Duration = std::chrono::duration<double>; ///< seconds

    /// Sums that forget: over about `memory`, or some steps where those take longer.
    struct Recent {
        double tokens = 0.0;
        Duration time{0}, lost{0};
        Time last{};

        void add(const StepTiming &timing, Time now);
        Duration perToken() const { return tokens > 0 ? time / tokens : Duration{0}; }
        double lostShare() const { return time.count() > 0 ? lost / time : 0.0; }
        bool isFresh(Time now) const;
    };
    enum class State : uint8_t { settled, probingUp, probingDown };

    uint32_t below(uint32_t count) const;
    uint32_t above(uint32_t count) const;
    Recent &recentOf(uint32_t count) { return recent_[count - 1]; }
    const Recent &recentOf(uint32_t count) const { return recent_[count - 1]; }
    void whenSettled(Time now);
    void whenProbingUp(Time now);
    void whenProbingDown(Time now);
    void begin(State state, uint32_t count, Time now);
    void goDown(uint32_t count, Time now);

    const uint32_t most_;
    uint32_t count_;
    State state_ = State::settled;
    std::vector<Recent> recent_; ///< of each count
    uint32_t steps_ = 0;         ///< since the state began
    Time begun_{}, wentUp_{}, nextUp_{}, nextDown_{};
    Duration upPause_, downPause_;
    Duration inSteps_{0}; ///< since it went down
};

} // namespace monokernel::cpu
