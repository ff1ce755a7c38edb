#pragma once

#include "timeline.h"

namespace monokernel::kernel {

/// One workgroup at work on one step: its role, the step's tag, and whether a wait has failed. The same in all its
/// lanes except `failed`, which is per wave until the end of the step.
struct Worker {
    Parked group;  ///< role in the grid, 0 .. workgroups-1
    Parked member; ///< among the workgroups that share a lane
    Parked firstLane, laneStep;
    Parked wave; ///< of the workgroup
    u32 lane;    ///< of the wave
    u32 tag;
    Parked block; ///< counts row blocks: which of the two partial buffers is in use
    Parked phase; ///< counts matrix phases: which of the two norm sums is in use
    u32 failed;   ///< 0 or 1
    Timeline timeline;
};

/// The same worker; what is computed from it is computed where it is used, not far above.
DEV void renew(Worker &w) {
    w.group = opaque(w.group);
    w.member = opaque(w.member);
    w.firstLane = opaque(w.firstLane);
    w.laneStep = opaque(w.laneStep);
    w.wave = opaque(w.wave);
    w.lane = laneAgain(w.lane);
    w.block = opaque(w.block);
    w.phase = opaque(w.phase);
}

} // namespace monokernel::kernel
