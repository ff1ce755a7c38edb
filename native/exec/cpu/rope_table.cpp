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

void RopeTable::rotate(uint32_t token, float *head) const {
    const uint32_t half = spec_.headDim / 2;
    const float *cosine = cosine_.data() + size_t{token} * half, *sine = sine_.data() + size_t{token} * half;
    const bool interleaved = spec_.ropePairs == RopePairs::interleaved;
    const uint32_t step = interleaved ? 2 : 1, distance = interleaved ? 1 : half;
    for (uint32_t i = 0; i < half; i++) {
        float &a = head[i * step], &b = head[i * step + distance];
        const float x = a, y = b;
        a = x * cosine[i] - y * sine[i];
        b = y * cosine[i] + x * sine[i];
    }
}

} // namespace monokernel::cpu
