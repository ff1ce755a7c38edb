#include "exec/cpu/worker_count.h"

#include "exec/cpu/load_controller.h"

#include <algorithm>

namespace monokernel {

namespace {

using namespace std::chrono_literals;
using cpu::LoadController;

/// Tokens from which on a step's time grows with their number; a token's time is then comparable between steps.
constexpr uint32_t wideStep = 16;

/// Prefill and decode gain differently from a worker and so are decided apart. In decode a first slice lost is mostly
/// followed by more, so fewer workers are kept even if the mean was a little better. In prefill all workers are, as
/// measured, about as quick as the better count even beside busy processes, so fewer must be clearly quicker.
class AdaptiveWorkerCount final : public WorkerCountPolicy {
public:
    explicit AdaptiveWorkerCount(uint32_t most) : narrow_(most, 1.3), wide_(most, 0.9) {}

    WorkerChoice choose(uint32_t tokens, Time now) override {
        LoadController &controller = of(tokens);
        const uint32_t workers = controller.choose(now);
        // Waking takes 50 microseconds; where a step takes long, waiting longer for one more worker still pays.
        const LoadController::Duration step = tokens * controller.expected();
        const LoadController::Duration unknown = tokens < wideStep ? 300us : 5ms;
        const auto patience = step.count() > 0 ? std::max(LoadController::Duration(300us), step / 4) : unknown;
        return {workers, std::chrono::duration_cast<std::chrono::nanoseconds>(patience)};
    }

    void observe(const StepTiming &timing, Time now) override {
        if (timing.tokens == 1 || timing.tokens >= wideStep) {
            of(timing.tokens).observe(timing, now);
        }
    }

private:
    LoadController &of(uint32_t tokens) { return tokens < wideStep ? narrow_ : wide_; }

    LoadController narrow_, wide_;
};

} // namespace

WorkerChoice FixedWorkerCount::choose(uint32_t, Time) { return {workers_, std::chrono::hours(24)}; }

void FixedWorkerCount::observe(const StepTiming &, Time) {}

std::unique_ptr<WorkerCountPolicy> makeAdaptiveWorkerCount(uint32_t most) {
    return std::make_unique<AdaptiveWorkerCount>(most);
}

} // namespace monokernel
