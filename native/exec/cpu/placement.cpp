#include "exec/cpu/placement.h"

#include <numeric>

namespace monokernel::cpu {

LaneGroup laneGroup(const ModelSpec &spec, uint32_t workerCount, uint32_t worker) {
    const uint32_t groups = std::gcd(spec.laneCount, workerCount);
    const uint32_t lanes = spec.laneCount / groups, workers = workerCount / groups;
    const uint32_t group = worker / workers;
    return {{group * lanes, (group + 1) * lanes}, {group * workers, (group + 1) * workers}};
}

Range evenShare(uint32_t count, uint32_t index, uint32_t members) {
    return {static_cast<uint32_t>(uint64_t{count} * index / members),
            static_cast<uint32_t>(uint64_t{count} * (index + 1) / members)};
}

} // namespace monokernel::cpu
