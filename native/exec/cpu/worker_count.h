#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

namespace monokernel {

/// How many workers a step shall have, and how long the step may be kept waiting for those that still sleep.
struct WorkerChoice {
    uint32_t workers;
    std::chrono::nanoseconds patience;
};

/// What a finished step showed.
struct StepTiming {
    uint32_t tokens;
    uint32_t workers;
    std::chrono::nanoseconds duration;
    /// The part of it that workers spent in waits far too long for a hand-off: somebody had lost its core.
    std::chrono::nanoseconds lost;
};

/// Decides before each step how many workers run it. Results do not depend on it. Called by one thread at a time.
class WorkerCountPolicy {
public:
    using Time = std::chrono::steady_clock::time_point;

    virtual ~WorkerCountPolicy() = default;

    /// For a step of `tokens` that starts now; cut to 1 to the pool's workers.
    virtual WorkerChoice choose(uint32_t tokens, Time now) = 0;
    /// After each step that was not left early.
    virtual void observe(const StepTiming &timing, Time now) = 0;
};

/// The same number always: `workers`, or all of the pool if those are fewer.
class FixedWorkerCount final : public WorkerCountPolicy {
public:
    explicit FixedWorkerCount(uint32_t workers) : workers_(workers) {}

    WorkerChoice choose(uint32_t tokens, Time now) override;
    void observe(const StepTiming &timing, Time now) override;

private:
    const uint32_t workers_;
};

/// As many workers as give the most tokens a second beside what else runs on the machine, up to `most`.
std::unique_ptr<WorkerCountPolicy> makeAdaptiveWorkerCount(uint32_t most);

} // namespace monokernel
