#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace monokernel::cpu {

/// A physical core of the machine.
struct CpuCore {
    uint32_t processor = 0; ///< its first logical processor, as the operating system counts them
    uint32_t package = 0;   ///< socket
    uint32_t node = 0;      ///< NUMA node
    bool used = false;      ///< whether this process may run a worker on it
    uint32_t place = 0;     ///< in the list of used ones
};

/// Caches of one kind: as many as there are, each shared by so many physical cores.
struct CpuCache {
    uint32_t level = 1;
    std::string type; ///< "Data", "Instruction" or "Unified", as Linux calls them
    uint64_t bytes = 0;
    uint32_t count = 0;
    uint32_t sharedBy = 0;
};

struct CpuNode {
    uint32_t index = 0;
    uint64_t memoryBytes = 0; ///< 0: not known
};

struct CpuTopology {
    std::string name;             ///< of the processor; empty: not known
    std::string vendor;           ///< as CPUID spells it; empty: not known
    uint32_t family = 0;          ///< as the vendor counts them; 0: not known
    std::vector<CpuCore> cores;   ///< ascending by processor
    std::vector<CpuCache> caches; ///< ascending by level
    std::vector<CpuNode> nodes;   ///< with memory or cores
};

/// What the operating system says of the machine: every physical core online, with those in `used` (usableCores())
/// marked. Reads `system`/sys and `system`/proc as Linux has them; where these say nothing, the used cores are all
/// there is, on one socket and one node.
CpuTopology readCpuTopology(std::span<const uint32_t> used, const std::filesystem::path &system = "/");

/// The cache of the highest level that a processor reads through.
struct LastLevelCache {
    uint32_t first = 0; ///< the lowest processor that shares it, which so names it
    uint64_t bytes = 0;

    bool operator==(const LastLevelCache &) const = default;
};

/// That of `processor`; where the system says nothing of caches, one of 0 bytes that all share.
LastLevelCache lastLevelCache(uint32_t processor, const std::filesystem::path &system = "/");

} // namespace monokernel::cpu
