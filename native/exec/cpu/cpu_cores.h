#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace monokernel::cpu {

/// One logical processor of each physical core that this process may run on (its affinity mask), as many as its CPU
/// quota allows, in ascending order or that of spreadOverCaches(). At least one entry; processor numbers are those of
/// the operating system.
std::vector<uint32_t> usableCores();

/// `count` of `cores` (all for 0, or if those are fewer), dealt out to the last-level caches that they share, to each
/// in proportion to its size: most such caches have a link of their own to memory, whose reading bounds decode.
/// Ascending by cache, then by place in `cores`, so that workers next to each other, who share a lane, mostly share a
/// cache. What the caches are is read from `system`/sys as Linux has it; where it says nothing, all cores share one.
std::vector<uint32_t> spreadOverCaches(std::span<const uint32_t> cores, uint32_t count,
                                       const std::filesystem::path &system = "/");

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
