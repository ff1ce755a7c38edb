#include "plan/placement.h"

#include <algorithm>
#include <stdexcept>

namespace monokernel {

namespace {

/// The last block border at or before `row`, counted over all lanes.
uint32_t borderBefore(const PhasePlacement &phase, uint64_t row) {
    const uint64_t lane = row / phase.rows;
    return static_cast<uint32_t>(lane * phase.blocksPerLane() + row % phase.rows / phase.blockRows);
}

} // namespace

LaneRows PhasePlacement::block(uint32_t block) const {
    const uint32_t begin = block % blocksPerLane() * blockRows;
    return {block / blocksPerLane(), {begin, begin + std::min(blockRows, rows - begin)}};
}

uint32_t PhasePlacement::owner(uint32_t lane, uint32_t row) const {
    const uint32_t index = lane * blocksPerLane() + row / blockRows;
    const auto after = std::upper_bound(workers.begin(), workers.end(), index,
                                        [](uint32_t value, const Range &range) { return value < range.end; });
    return static_cast<uint32_t>(after - workers.begin());
}

PhasePlacement placeRows(uint32_t lanes, uint32_t rows, uint32_t blockRows, uint32_t workers) {
    if (lanes == 0 || rows == 0 || blockRows == 0 || workers == 0) {
        throw std::invalid_argument("placement: lanes, rows, rows a block and workers must all be at least 1");
    }
    if (uint64_t{lanes} * rows > UINT32_MAX) {
        throw std::invalid_argument("placement: more rows than 32 bits can count");
    }
    PhasePlacement phase{lanes, rows, blockRows, {}};
    phase.workers.reserve(workers);
    const uint64_t total = uint64_t{lanes} * rows;
    uint32_t begin = 0;
    for (uint64_t worker = 1; worker <= workers; worker++) {
        const uint32_t end = borderBefore(phase, total * worker / workers);
        phase.workers.push_back({begin, end});
        begin = end;
    }
    return phase;
}

Placement makePlacement(const Plan &plan, uint32_t workers, const BlockRows &blockRows) {
    Placement placement{workers, {}};
    placement.phases.reserve(plan.phases.size());
    for (const Phase &phase : plan.phases) {
        placement.phases.push_back(placeRows(phase.lanes, phase.rows, blockRows(phase), workers));
    }
    return placement;
}

} // namespace monokernel
