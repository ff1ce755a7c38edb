#pragma once

#include "exec/cpu/prompt_lookup.h"

#include <array>
#include <cstdint>

namespace monokernel::cpu {

/// Decides how much of a draft is verified: what gives the most expected tokens a second, by two things that it learns.
/// How likely a drafted token is right, by the number of tokens before it that agree with its source: from every token
/// that there was a draft for, verified or not. And what one token more in a step costs, in steps of one token: from
/// the steps. So it stops where drafts do not pay and begins where they do without trying them out, but for one step in
/// `stepsToTry` that keeps the cost known.
class DraftPolicy {
public:
    static constexpr uint32_t stepsToTry = 64;

    /// Tokens to verify, 0 to `offered`, of a draft after `matched` tokens that agree.
    uint32_t choose(uint32_t matched, uint32_t offered);

    /// Whether the first token of a draft after `matched` tokens was right.
    void observeToken(uint32_t matched, bool right);

    /// A step that verified `drafted` tokens beside its own took this long.
    void observeStep(uint32_t drafted, double seconds);

    /// How likely the first token of a draft after `matched` tokens is right.
    double probability(uint32_t matched) const;

    /// Of a drafted token in a step, in steps of one token.
    double tokenCost() const { return tokenCost_; }

private:
    struct Counts {
        double right, all;
    };

    static uint32_t classOf(uint32_t matched) { return matched < most ? matched : most; }

    static constexpr uint32_t most = PromptLookup::mostMatched;
    static constexpr Counts prior{1.0, 2.0};

    std::array<Counts, most + 1> counts_{}; ///< they forget
    double plainSeconds_ = 0.0;             ///< of a step of one token; 0: not known yet
    double tokenCost_ = 0.2;
    uint32_t declined_ = 0; ///< drafts since the last that was verified
};

} // namespace monokernel::cpu
