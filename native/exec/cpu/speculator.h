#pragma once

#include "exec/cpu/draft_policy.h"
#include "exec/cpu/prompt_lookup.h"

#include <cstdint>
#include <span>

namespace monokernel::cpu {

/// Most drafted tokens in a step: with the step's own token they fill a register tile, so that weights are read once.
constexpr uint32_t mostDrafted = 5;

/// What a decode loop verifies beside the next token, request after request: drafts as far as they pay.
class Speculator {
public:
    /// `always`: all that is drafted is verified, whether that pays or not.
    explicit Speculator(bool always) : always_(always), lookup_(mostDrafted) {}

    /// Begins with `prompt` a sequence of up to `length` tokens.
    void start(std::span<const int32_t> prompt, uint32_t length);

    /// The sequence went on with `token`.
    void append(int32_t token);

    /// Up to `most` tokens to verify after those appended; until the next call.
    std::span<const int32_t> draft(uint32_t most);

    /// The step that verified `drafted` tokens took this long.
    void observeStep(uint32_t drafted, double seconds) { policy_.observeStep(drafted, seconds); }

    /// Memory held.
    uint64_t bytes() const { return lookup_.bytes(); }

private:
    const bool always_;
    PromptLookup lookup_;
    DraftPolicy policy_;
    PromptLookup::Draft next_; ///< what the lookup expects after the tokens so far
};

} // namespace monokernel::cpu
