#pragma once

#include "../cpu/golden_file.h"

namespace golden {

/// Allowed difference of a logit with f32 activations and the hardware's approximate exp2 and rsqrt.
constexpr double gpuTolerance = 3e-3;

/// Largest difference of the logits from the reference's; NaN counts as infinite.
double worstDifference(const std::vector<float> &logits, const Folder &expected);

/// Index of the first token that differs where the reference's margin forbids it; the count if there is none.
size_t firstWrongToken(const std::vector<int32_t> &tokens, const std::vector<int32_t> &expected,
                       const std::vector<double> &margin, double tolerance);

} // namespace golden
