#pragma once

#include "model/model_spec.h"

#include <cstdint>
#include <vector>

namespace monokernel::cpu {

/// Cosines and sines of a step's positions.
class RopeTable {
public:
    RopeTable(const ModelSpec &spec, uint32_t maxTokens);

    /// For `count` positions from `first` on.
    void fill(uint32_t first, uint32_t count);
    /// Rotates one head of the step's token `token` in place.
    void rotate(uint32_t token, float *head) const;

private:
    const ModelSpec &spec_;
    std::vector<float> cosine_, sine_; ///< [tokens, headDim / 2]
};

} // namespace monokernel::cpu
