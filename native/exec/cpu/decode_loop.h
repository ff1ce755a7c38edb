#pragma once

#include "exec/cpu/sampler.h"
#include "exec/cpu/step_runner.h"
#include "exec/executor.h"

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

namespace monokernel::cpu {

/// One worker's way through a whole sequence: prefill in chunks, then token by token. All workers choose the same
/// tokens and so take the same way; worker 0 also reports and looks at the cancel flag.
class DecodeLoop {
public:
    DecodeLoop(const StepResources &resources, uint32_t worker, uint32_t contextLength);

    /// Runs `job`; `sink` is called by worker 0 only. What it throws leaves the request.
    void run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink);

    /// Runs `tokens` in steps of `stepWidth` and, in worker 0, puts the logits after `positions` into `out`.
    void runLogits(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> positions,
                   uint32_t stepWidth, std::span<float> out);

    /// Of the last run() of worker 0, also when it was left.
    const SequenceResult &result() const { return result_; }

private:
    using Clock = std::chrono::steady_clock;

    bool prefill(const SequenceJob &job);
    bool step(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> selected,
              const SamplingKey &key, const std::atomic<bool> *cancel);
    std::optional<StopReason> accept(const SequenceJob &job, GeneratedToken token,
                                     const std::function<void(GeneratedToken)> &sink);

    const StepResources r_;
    const uint32_t worker_, contextLength_;
    StepRunner runner_;
    Sampler sampler_;
    uint64_t steps_ = 0;
    uint32_t position_ = 0; ///< tokens in the slot
    SequenceResult result_;
    Clock::time_point start_, firstToken_;
};

} // namespace monokernel::cpu
