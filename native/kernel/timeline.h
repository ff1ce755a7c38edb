#pragma once

#include "clock.h"
#include "timeline_layout.h"

namespace monokernel::kernel {

/// Notes when a wave reaches each phase of a step: in kernels built with MONOKERNEL_TIMELINE, for `npm run
/// gpu:timeline` (bench/gpu/gpu_timeline.cpp). In those that ship it is nothing.
struct Timeline {
#ifdef MONOKERNEL_TIMELINE
    u64 at;      ///< the times of this wave's phase
    u32 stalled; ///< ticks that its products have waited for weights

    DEV_MEMBER void enter(Arguments &p, u32 group, u32 wave, u32 phase, u32 layer, bool prefill) {
        const u32 owner = group * (workgroupThreads / waveLanes) + wave;
        at = p.timeline + timelinePlace(p.layers, owner, prefill ? 1 : 0, layer, phase) * (phaseNotes * 8);
        stalled = 0;
        mark(momentBegin);
    }
    /// Both clocks, of this multiprocessor's and of all: the second may tick seldom.
    DEV_MEMBER void mark(u32 moment) const {
        if (laneIndex() == 0) {
            global<u64>(at)[moment] = wallClock() << 32 | static_cast<u32>(tickClock());
        }
        rejoin();
    }
    DEV_MEMBER void markMultiplied() const {
        mark(momentMultiplied);
        if (laneIndex() == 0) {
            global<u64>(at)[noteStalled] = stalled;
        }
        rejoin();
    }
    template <class Wait> DEV_MEMBER void awaitWeights(Wait wait) {
        const u32 before = static_cast<u32>(tickClock());
        wait();
        stalled += static_cast<u32>(tickClock()) - before;
    }
#else
    DEV_MEMBER void enter(Arguments &, u32, u32, u32, u32, bool) {}
    DEV_MEMBER void mark(u32) const {}
    DEV_MEMBER void markMultiplied() const {}
    template <class Wait> DEV_MEMBER void awaitWeights(Wait wait) { wait(); }
#endif
};

} // namespace monokernel::kernel
