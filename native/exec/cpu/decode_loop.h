#pragma once

#include "exec/cpu/sampler.h"
#include "exec/cpu/speculator.h"
#include "exec/cpu/step_team.h"
#include "exec/executor.h"

#include <atomic>
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

    /// For how many tokens of a step run() needs room for logits.
    static uint32_t logitRows(const SequenceJob &job) { return speculates(job) ? 1 + mostDrafted : 1; }

    /// Runs `job`. What `sink` throws leaves the request.
    void run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink);

    /// Runs `tokens` in steps of `stepWidth` and puts the logits after `positions` into `out`.
    void runLogits(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> positions,
                   uint32_t stepWidth, std::span<float> out);

    /// Of the last run(), also when it was left.
    const SequenceResult &result() const { return result_; }

    /// Memory that speculation holds; from any thread.
    uint64_t speculationBytes() const { return speculationBytes_.load(std::memory_order_relaxed); }

private:
    using Clock = std::chrono::steady_clock;

    static bool speculates(const SequenceJob &job) {
        return job.speculation == Speculation::promptLookup && job.sampling.temperature <= 0.0f;
    }

    bool prefill(const SequenceJob &job);
    GeneratedToken choose(const SequenceJob &job);
    bool advance(const SequenceJob &job, int32_t token);
    void expect(const SequenceJob &job, int32_t token);
    bool decode(const SequenceJob &job);
    std::span<const int32_t> draft(const SequenceJob &job);
    bool step(uint32_t slot, std::span<const int32_t> tokens, const SamplingKey &key, const std::atomic<bool> *cancel);
    std::optional<StopReason> accept(const SequenceJob &job, GeneratedToken token,
                                     const std::function<void(GeneratedToken)> &sink);

    const StepResources r_;
    StepTeam &team_;
    const uint32_t contextLength_;
    Sampler sampler_;
    Speculator speculator_;
    std::atomic<uint64_t> speculationBytes_ = 0;
    bool speculates_ = false; ///< the running request
    uint32_t position_ = 0;   ///< tokens in the slot
    uint32_t row_ = 0;        ///< of the last step's logits: those after these tokens
    // What a running step refers to; workers may look at it until they have left the request.
    std::vector<int32_t> tokens_; ///< of a decode step: one, then its draft
    std::vector<uint32_t> selected_;
    SequenceResult result_;
    Clock::time_point start_, firstToken_;
};

} // namespace monokernel::cpu
