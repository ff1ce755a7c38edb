#include "exec/cpu/draft_policy.h"

#include <algorithm>

namespace monokernel::cpu {

namespace {

/// Parts of what is known that a new token or step takes away.
constexpr double forgetTokens = 1.0 / 128, forgetSteps = 1.0 / 8;
/// An interrupted step counts as at most this many usual ones.
constexpr double mostStepTimes = 4.0;
/// The gain that is worth a wider step, above the error of the estimates.
constexpr double worthwhile = 1.03;

} // namespace

double DraftPolicy::probability(uint32_t matched) const {
    const Counts &counts = counts_[classOf(matched)];
    return (counts.right + prior.right) / (counts.all + prior.all);
}

uint32_t DraftPolicy::choose(uint32_t matched, uint32_t offered) {
    if (offered == 0 || plainSeconds_ == 0.0) {
        return 0;
    }
    double reached = 1.0, tokens = 1.0, best = 0.0;
    uint32_t choice = 0;
    for (uint32_t drafted = 1; drafted <= offered; drafted++) {
        reached *= probability(matched + drafted - 1);
        tokens += reached;
        const double gain = tokens / (1.0 + tokenCost_ * drafted);
        if (gain > best) {
            best = gain;
            choice = drafted;
        }
    }
    if (best > worthwhile || declined_ == stepsToTry) {
        declined_ = 0;
        return choice;
    }
    declined_++;
    return 0;
}

void DraftPolicy::observeToken(uint32_t matched, bool right) {
    Counts &counts = counts_[classOf(matched)];
    counts.right += (right ? 1.0 : 0.0) - forgetTokens * counts.right;
    counts.all += 1.0 - forgetTokens * counts.all;
}

void DraftPolicy::observeStep(uint32_t drafted, double seconds) {
    if (drafted == 0) {
        const double usual = plainSeconds_ == 0.0 ? seconds : plainSeconds_;
        plainSeconds_ = usual + forgetSteps * (std::min(seconds, mostStepTimes * usual) - usual);
    } else if (plainSeconds_ > 0.0) {
        const double cost = std::clamp((seconds / plainSeconds_ - 1.0) / drafted, 0.0, mostStepTimes);
        tokenCost_ += forgetSteps * (cost - tokenCost_);
    }
}

} // namespace monokernel::cpu
