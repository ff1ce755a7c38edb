#include "exec/cpu/weight_prefetch.h"

namespace monokernel::cpu {

namespace {

constexpr uint32_t zen4Family = 25, zen5Family = 26; // 25 is Zen 3 too, which has no kernel that asks

/// Of all last-level caches.
uint64_t lastLevelBytes(const CpuTopology &topology) {
    uint64_t bytes = 0;
    for (const CpuCache &cache : topology.caches) {
        bytes += cache.level == 3 ? cache.bytes * cache.count : 0;
    }
    return bytes;
}

} // namespace

/// Measured (docs/performance.md): Zen 5 is faster with it or as fast, from the L3 and from memory, Zen 4 faster from
/// memory only, where weights twice as large as the L3 come from; a Xeon with AMX gains nothing.
bool asksForWeightsAhead(const CpuTopology &topology, uint64_t bytesPerToken) {
    if (topology.vendor != "AuthenticAMD") {
        return false;
    }
    return topology.family >= zen5Family ||
           (topology.family == zen4Family && bytesPerToken > 2 * lastLevelBytes(topology));
}

} // namespace monokernel::cpu
