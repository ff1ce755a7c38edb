#pragma once

#include "model/model.h"

#include <cstdint>
#include <vector>

/// Logits after every position of `tokens`, [positions][vocabulary]: the whole sequence at once in float64, no cache,
/// no blocking, straight from the model's tensors.
std::vector<std::vector<double>> referenceForward(const monokernel::Model &model, const std::vector<int32_t> &tokens);

/// Root of the mean squared difference of logits [positions, vocabulary] to the reference, as a share of the
/// reference's own.
double typicalDifference(const std::vector<float> &logits, const std::vector<std::vector<double>> &expected);
