#pragma once

#include "engine/engine.h"
#include "model/model.h"

#include <string>

namespace monokernel {

/// What the CPU engine makes of a wanted precision.
struct PrecisionChoice {
    bool int8 = false;
    std::string reason; ///< for the log, one line
};

/// Bytes of weights as they are stored.
struct WeightSizes {
    uint64_t all = 0;
    uint64_t token = 0; ///< what one token reads: of an embedding that is not also the head only a row
};

WeightSizes weightSizes(const Model &model);

/// Bytes of memory that programs can still have; 0 where the system does not say.
uint64_t availableMemory();

/// `automatic` is int8 when a token would read more than 250 MB of weights as they are stored, or when these weights
/// would take more than half of the available memory. 250 MB: a plain machine reads 30 GB/s, so a completion of 24
/// tokens would take over 200 ms, which a person feels; below that int8 gains nothing that is felt, and stored weights
/// are exact.
PrecisionChoice choosePrecision(Precision wanted, const WeightSizes &sizes, uint64_t availableMemory);

} // namespace monokernel
