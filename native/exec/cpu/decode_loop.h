#pragma once

#include "exec/cpu/sampler.h"
#include "exec/cpu/speculator.h"
#include "exec/cpu/step_team.h"
#include "exec/executor.h"

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

namespace monokernel::cpu {

/// The way through a whole sequence, step by step: prefill in chunks, then token by token, or a token and its draft.
/// What a step makes of a token has the same bits whatever else is in the step, so a draft changes nothing but the
/// time.
class DecodeLoop {
public:
    /// Uses `team`, which must be led by the caller.
    DecodeLoop(const StepResources &resources, StepTeam &team, uint32_t contextLength, bool draftAlways);

    /// Runs `job`, with room for the logits of 1 token, or of 1 + mostDrafted to speculate. What `sink` throws leaves
    /// the request.
    void run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink);

    /// Runs `tokens` in steps of `stepWidth` and puts the logits after `positions` into `out`.
    void runLogits(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> positions,
                   uint32_t stepWidth, std::span<float> out);

    /// Of the last run(), also when it was left.
    const SequenceResult &result() const { return result_; }

private:
    using Clock = std::chrono::steady_clock;

    bool prefill(const SequenceJob &job);
    GeneratedToken choose(const SequenceJob &job);
    bool advance(const SequenceJob &job, int32_t token);
    bool decode(const SequenceJob &job);
    std::span<const int32_t> draft(const SequenceJob &job);
    bool step(uint32_t slot, std::span<const int32_t> tokens, const SamplingKey &key, const std::atomic<bool> *cancel);
    std::optional<StopReason> accept(const SequenceJob &job, GeneratedToken token,
                                     const std::function<void(GeneratedToken)> &sink);

    const StepResources r_;
    StepTeam &team_;
    const uint32_t contextLength_;
    const bool draftAlways_;
    Sampler sampler_;
    std::optional<Speculator> speculator_; ///< from the first request on that speculates
    bool speculates_ = false;              ///< this one
    uint32_t position_ = 0;                ///< tokens in the slot
    uint32_t row_ = 0;                     ///< of the last step's logits: those after these tokens
    // What a running step refers to; workers may look at it until they have left the request.
    std::vector<int32_t> tokens_; ///< of a decode step: one, then its draft
    std::vector<uint32_t> selected_;
    SequenceResult result_;
    Clock::time_point start_, firstToken_;
};

} // namespace monokernel::cpu
