#include "exec/cpu/rope_table.h"

#include <cmath>

namespace monokernel::cpu {

RopeTable::RopeTable(const ModelSpec &spec, uint32_t maxTokens)
    : spec_(spec), cosine_(size_t{maxTokens} * spec.headDim / 2), sine_(cosine_.size()) {}

void RopeTable::fill(uint32_t first, uint32_t count) {
    size_t at = 0;
    for (uint32_t position = first; position < first + count; position++) {
        for (const float frequency : spec_.ropeInverseFrequency) {
            const double angle = static_cast<double>(position) * static_cast<double>(frequency);
            cosine_[at] = static_cast<float>(std::cos(angle)) * spec_.ropeScale;
            sine_[at] = static_cast<float>(std::sin(angle)) * spec_.ropeScale;
            at++;
        }
    }
}

} // namespace monokernel::cpu
