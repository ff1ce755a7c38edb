#pragma once

#include "exec/cpu/kernels/kernels.h"
#include "exec/cpu/page_memory.h"
#include "model/model_spec.h"

#include <cstdint>

namespace monokernel::cpu {

/// The rows of a step of many tokens that the workers of a lane make for each other, some tokens each: a lane's
/// residual stream, and the input of its next product. Those of lanes that one worker has to itself are not touched,
/// except streams, and so cost no memory.
class SharedRows {
public:
    /// For steps of up to `maxTokens` tokens; rows of `hiddenWidth` floats. Throws ModelError(memory).
    SharedRows(const ModelSpec &spec, uint32_t maxTokens, uint32_t hiddenWidth);

    /// [maxTokens, hiddenWidth]
    float *stream(uint32_t lane) const { return streams_.floats() + lane * laneFloats_; }
    /// [maxTokens, hiddenWidth]
    float *normalized(uint32_t lane) const { return normalized_.floats() + lane * laneFloats_; }
    /// What Kernels::prepare() writes of maxTokens rows for any of the model's products.
    std::byte *operand(uint32_t lane) const { return operands_.data() + lane * operandBytes_; }
    size_t operandBytes() const { return operandBytes_; } ///< of a lane

private:
    size_t laneFloats_, operandBytes_;
    PageMemory streams_, normalized_, operands_;
};

} // namespace monokernel::cpu
