#pragma once

#include <cstdint>
#include <vector>

namespace monokernel::cpu {

/// One logical processor of each physical core that this process may run on (its affinity mask), cut to the process's
/// CPU quota, in ascending order. At least one entry; processor numbers are those of the operating system.
std::vector<uint32_t> usableCores();

/// Keeps the calling thread on one processor while it lives, then gives back the mask it had. Does nothing where the
/// operating system has no such call.
class ThreadPin {
public:
    explicit ThreadPin(uint32_t processor);
    ~ThreadPin();
    ThreadPin(const ThreadPin &) = delete;
    ThreadPin &operator=(const ThreadPin &) = delete;

private:
    std::vector<uint32_t> before_;
};

} // namespace monokernel::cpu
