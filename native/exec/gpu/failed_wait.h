#pragma once

#include <cstdint>
#include <string>

namespace monokernel {

/// The first wait of a kernel that lasted too long.
struct FailedWait {
    uint32_t edge; ///< kernel::WaitEdge
    uint32_t layer;
    uint32_t device; ///< its place among the devices that share the model
    uint32_t workgroup;
};

/// Reads the kernel's abort word, which must not be 0.
FailedWait readFailedWait(uint64_t word);

/// For people: who waited in vain for what.
std::string describe(const FailedWait &wait, const std::string &deviceName);

} // namespace monokernel
