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

namespace {

/// Pairs are a[i * step], b[i * step]; compiled once for each step, so that the compiler can make vectors of it.
template <uint32_t Step>
void rotatePairs(const float *__restrict cosine, const float *__restrict sine, float *__restrict a, float *__restrict b,
                 uint32_t pairs) {
    for (uint32_t i = 0; i < pairs; i++) {
        const float x = a[i * Step], y = b[i * Step];
        a[i * Step] = x * cosine[i] - y * sine[i];
        b[i * Step] = y * cosine[i] + x * sine[i];
    }
}

} // namespace

void RopeTable::rotate(uint32_t token, float *head) const {
    const uint32_t half = spec_.headDim / 2;
    const float *cosine = cosine_.data() + size_t{token} * half, *sine = sine_.data() + size_t{token} * half;
    if (spec_.ropePairs == RopePairs::interleaved) {
        rotatePairs<2>(cosine, sine, head, head + 1, half);
    } else {
        rotatePairs<1>(cosine, sine, head, head + half, half);
    }
}

} // namespace monokernel::cpu
