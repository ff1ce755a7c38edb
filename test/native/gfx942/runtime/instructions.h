#pragma once

// What translated code calls.

#include "runtime/arithmetic.h"
#include "runtime/control.h"
#include "runtime/matrix.h"
#include "runtime/memory_access.h"
#include "runtime/shuffle.h"

namespace gfx942 {

/// A nonzero test is decided by one defined bit that is set, else it needs all of them.
INLINE bool resultDecided(u64 result, u64 known, u64 width) {
    return (known & width) == width || (result & known) != 0;
}

INLINE void readLane(Wave &w, u32 to, u32 from, u32 lane, u32 laneKnown) {
    const bool known = laneKnown == ~0u && (w.defined[from] >> (lane & 63) & 1);
    putScalar(w, to, w.v[from][lane & 63], known ? ~0u : 0u);
}

INLINE void writeLane(Wave &w, u32 to, u32 value, u32 known, u32 lane, u32 laneKnown) {
    const u64 bit = 1ull << (lane & 63);
    w.v[to][lane & 63] = value;
    w.defined[to] = known == ~0u && laneKnown == ~0u ? w.defined[to] | bit : w.defined[to] & ~bit;
}

} // namespace gfx942
