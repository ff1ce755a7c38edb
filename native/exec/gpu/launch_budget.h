#pragma once

#include <cstdint>

namespace monokernel {

/// What one launch does of a request: prompt tokens to run, then tokens to generate. Without the latter it ends before
/// the prompt does.
struct LaunchPart {
    uint32_t promptTokens;
    uint32_t newTokens;
};

/// How much of a request one launch may do. Where a display hangs on a device the system ends launches that last some
/// seconds, and with them the process's use of the device; there a request is cut into launches of about a quarter of a
/// second, by how long steps have taken so far. Elsewhere a request is one launch.
class LaunchBudget {
public:
    explicit LaunchBudget(bool bounded);

    /// The next launch of a request that has so much left to do. A step takes up to `stepTokens` prompt tokens.
    LaunchPart next(uint32_t promptTokens, uint32_t newTokens, uint32_t stepTokens) const;
    /// Takes note of how long a launch's steps took: those of its prompt, and those after its first new token.
    void ran(uint32_t promptSteps, double promptSeconds, uint32_t decodeSteps, double decodeSeconds);

private:
    bool bounded_;
    double promptStep_, decodeStep_; ///< seconds
};

} // namespace monokernel
