#include "exec/cpu/speculator.h"

#include <algorithm>

namespace monokernel::cpu {

void Speculator::start(std::span<const int32_t> prompt, uint32_t length) {
    lookup_.start(prompt, length);
    next_ = lookup_.draft(mostDrafted);
}

void Speculator::append(int32_t token) {
    if (!next_.tokens.empty()) {
        policy_.observeToken(next_.matched, next_.tokens.front() == token);
    }
    lookup_.append(token);
    next_ = lookup_.draft(mostDrafted);
}

std::span<const int32_t> Speculator::draft(uint32_t most) {
    const auto offered = static_cast<uint32_t>(std::min<size_t>(most, next_.tokens.size()));
    return next_.tokens.first(always_ ? offered : policy_.choose(next_.matched, offered));
}

} // namespace monokernel::cpu
