#include "exec/cpu/worker_count.h"

#include "exec/cpu/load_controller.h"

namespace monokernel {

namespace {

using namespace std::chrono_literals;
using cpu::LoadController;

/// Steps of one token follow the machine's load. Wider ones have all workers: beside busy processes those are, as
/// measured on two cores, about as quick as the better count, because a worker more also gets a larger share of the
/// machine, and a prompt has too few steps to try counts out.
class AdaptiveWorkerCount final : public WorkerCountPolicy {
public:
    explicit AdaptiveWorkerCount(uint32_t most) : most_(most), decode_(most) {}

    WorkerChoice choose(uint32_t tokens, Time now) override {
        // Waking takes 50 microseconds where a core is free.
        return tokens > 1 ? WorkerChoice{most_, 1ms} : WorkerChoice{decode_.choose(now), 300us};
    }

    void observe(const StepTiming &timing, Time now) override {
        if (timing.tokens == 1) {
            decode_.observe(timing, now);
        }
    }

private:
    const uint32_t most_;
    LoadController decode_;
};

} // namespace

WorkerChoice FixedWorkerCount::choose(uint32_t, Time) { return {workers_, std::chrono::hours(24)}; }

void FixedWorkerCount::observe(const StepTiming &, Time) {}

std::unique_ptr<WorkerCountPolicy> makeAdaptiveWorkerCount(uint32_t most) {
    return std::make_unique<AdaptiveWorkerCount>(most);
}

} // namespace monokernel
