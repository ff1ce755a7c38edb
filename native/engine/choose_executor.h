#pragma once

#include "engine/engine.h"
#include "engine/precision.h"
#include "exec/executor.h"
#include "model/model.h"

#include <functional>
#include <memory>
#include <string>

namespace monokernel {

struct ChosenExecutor {
    std::unique_ptr<Executor> executor;
    std::string reason; ///< why this one, for the log
    PrecisionChoice precision;
};

/// The executor that `options.device` names. `automatic` takes the first GPU that the shipped kernels run on and that
/// can hold the model, else the CPU. A device asked for by name is not replaced: std::invalid_argument says why it
/// cannot be had, and what its executor throws is passed on.
ChosenExecutor chooseExecutor(const Model &model, const EngineOptions &options,
                              const std::function<void(double)> &progress);

} // namespace monokernel
