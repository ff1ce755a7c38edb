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
    /// Of the step's token `token`: [headDim / 2]
    const float *cosine(uint32_t token) const { return cosine_.data() + token * size_t{spec_.headDim / 2}; }
    const float *sine(uint32_t token) const { return sine_.data() + token * size_t{spec_.headDim / 2}; }

private:
    const ModelSpec &spec_;
    std::vector<float> cosine_, sine_; ///< [tokens, headDim / 2]
};

} // namespace monokernel::cpu
