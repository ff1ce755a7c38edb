#include "exec/gpu/launch_budget.h"

#include <algorithm>

namespace monokernel {

namespace {

constexpr double launchSeconds = 0.25; ///< of prompt steps, and again of decode steps
constexpr double firstGuess = 0.06;    ///< seconds a step: more than 16 tokens of a 7B take on the slowest of cards

uint32_t stepsIn(double seconds, double step) { return static_cast<uint32_t>(std::clamp(seconds / step, 1.0, 1e6)); }

/// A step's seconds from a launch's, growing at once and shrinking by half at most: a launch may have had luck.
double learnt(double before, uint32_t steps, double seconds) {
    return steps == 0 ? before : std::max(seconds / steps, before / 2);
}

} // namespace

LaunchBudget::LaunchBudget(bool bounded) : bounded_(bounded), promptStep_(firstGuess), decodeStep_(firstGuess) {}

LaunchPart LaunchBudget::next(uint32_t promptTokens, uint32_t newTokens, uint32_t stepTokens) const {
    if (!bounded_) {
        return {promptTokens, newTokens};
    }
    const uint64_t mostPrompt = uint64_t{stepsIn(launchSeconds, promptStep_)} * stepTokens;
    if (promptTokens > mostPrompt) {
        return {static_cast<uint32_t>(mostPrompt), 0};
    }
    return {promptTokens, std::min(newTokens, stepsIn(launchSeconds, decodeStep_))};
}

void LaunchBudget::ran(uint32_t promptSteps, double promptSeconds, uint32_t decodeSteps, double decodeSeconds) {
    promptStep_ = learnt(promptStep_, promptSteps, promptSeconds);
    decodeStep_ = learnt(decodeStep_, decodeSteps, decodeSeconds);
}

} // namespace monokernel
