#pragma once

#include "exec/executor.h"
#include "model/model.h"

#include <functional>
#include <memory>
#include <string>

namespace golden {

/// Random models of all families and odd shapes, one a seed, beside a float64 reference: what is wrong, empty if
/// nothing is. `load` makes the executor of a model; one that it refuses as too wide for the device, or that has more
/// bytes of weights than wanted, is left out and counted. All logits of up to `mostTokens` tokens are looked at, and
/// the last one's must have the same bits through steps of 1, 5 and 16 tokens.
struct RandomModels {
    std::function<std::unique_ptr<monokernel::Executor>(const monokernel::Model &model)> load;
    uint32_t mostTokens;
    uint64_t mostBytes = UINT64_MAX;
    uint32_t leftOut = 0;
    double worst = 0; ///< root of the mean squared difference, as a share of the logits' own

    std::string troubleOf(uint32_t seed);
};

} // namespace golden
