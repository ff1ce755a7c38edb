#pragma once

#include "model/model_spec.h"
#include "plan/placement.h"

#include <cstdint>

namespace monokernel::cpu {

/// The workers that share a set of lanes: within it they hand every phase over, with the other sets they only exchange
/// the lanes' partial outputs. With as many sets as the greatest common divisor of lanes and workers, placeRows() cuts
/// every phase at the sets' borders.
struct LaneGroup {
    Range lanes;
    Range workers;
};

LaneGroup laneGroup(const ModelSpec &spec, uint32_t workerCount, uint32_t worker);

/// The part of `count` equal units that falls to member `index` of `members`.
Range evenShare(uint32_t count, uint32_t index, uint32_t members);

} // namespace monokernel::cpu
