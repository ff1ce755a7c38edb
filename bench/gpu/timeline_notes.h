#pragma once

#include <cstdint>

namespace bench {

/// What the kernel notes of a moment: the device's clock in the upper 32 bits, the multiprocessor's below; differences
/// go round them.
inline uint32_t ticksBetween(uint64_t from, uint64_t to) {
    return static_cast<uint32_t>(to) - static_cast<uint32_t>(from);
}
inline int32_t wallBetween(uint64_t from, uint64_t to) {
    return static_cast<int32_t>(static_cast<uint32_t>(to >> 32) - static_cast<uint32_t>(from >> 32));
}

} // namespace bench
