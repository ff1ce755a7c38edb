#pragma once

#include "plan/plan.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace monokernel {

/// Half-open range [begin, end).
struct Range {
    uint32_t begin = 0;
    uint32_t end = 0;

    uint32_t size() const { return end - begin; }
    bool empty() const { return begin == end; }
    bool operator==(const Range &) const = default;
};

/// Rows of one lane.
struct LaneRows {
    uint32_t lane;
    Range rows;
};

/// Which worker computes which rows of one phase. A lane's rows are cut into blocks of `blockRows` (the last one of a
/// lane may be shorter: a block never crosses lanes); blocks are numbered lane by lane; each worker has one range of
/// them, in order of workers, so that as far as possible a worker stays within few lanes.
///
/// Properties: every block has exactly one worker; a worker's row count differs from an equal share by less than
/// `blockRows`; where the worker count divides the lane count, each worker has whole lanes, and where it is a multiple
/// of the lane count, each worker has rows of one lane only; the ranges depend on the phase's shape, `blockRows` and
/// the worker count alone, so the same shape is placed alike in every layer.
struct PhasePlacement {
    uint32_t lanes = 1;
    uint32_t rows = 0; ///< a lane
    uint32_t blockRows = 1;
    std::vector<Range> workers; ///< blocks of each worker; empty ranges where there are more workers than blocks

    uint32_t blocksPerLane() const { return rows / blockRows + (rows % blockRows != 0 ? 1 : 0); }
    uint32_t blockCount() const { return lanes * blocksPerLane(); }
    /// The rows of block `block`.
    LaneRows block(uint32_t block) const;
    /// The worker that computes row `row` of lane `lane`.
    uint32_t owner(uint32_t lane, uint32_t row) const;
};

/// Rows a block for a phase: what a kernel computes at once, and what may not be torn apart (a head for attention).
using BlockRows = std::function<uint32_t(const Phase &)>;

/// Who computes what in each phase of a plan, in the plan's order of phases.
struct Placement {
    uint32_t workerCount = 1;
    std::vector<PhasePlacement> phases;
};

/// Splits `rows` rows of each of `lanes` lanes over `workers` workers. Throws std::invalid_argument where one of them
/// is 0 or the rows of all lanes are more than 32 bits can count.
PhasePlacement placeRows(uint32_t lanes, uint32_t rows, uint32_t blockRows, uint32_t workers);

/// placeRows for every phase of `plan`.
Placement makePlacement(const Plan &plan, uint32_t workers, const BlockRows &blockRows);

} // namespace monokernel
