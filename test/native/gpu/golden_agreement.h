#pragma once

#include "../cpu/golden_file.h"

namespace golden {

/// Allowed difference of a logit with f32 activations, the hardware's approximate exp2 and rsqrt, and keys and values
/// kept in f16. That rounds elements by 2e-4 of their size (root mean square); the errors of keys and of values of 3 or
/// 4 layers add up like independent ones, 2e-4 * sqrt(8) = 6e-4 of the logits' standard deviation, which is up to 1.7,
/// and the worst of some thousand logits has four of that: 4e-3. A weak tie in the softmax can double it. The largest
/// seen is 5.1e-3.
constexpr double gpuTolerance = 8e-3;

/// Largest difference of the logits from the reference's; NaN counts as infinite.
double worstDifference(const std::vector<float> &logits, const Folder &expected);

/// Index of the first token that differs where the reference's margin forbids it; the count if there is none.
size_t firstWrongToken(const std::vector<int32_t> &tokens, const std::vector<int32_t> &expected,
                       const std::vector<double> &margin, double tolerance);

} // namespace golden
