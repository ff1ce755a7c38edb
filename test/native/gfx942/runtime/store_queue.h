#pragma once

// Stores take time: each is applied at once or waits in its wave's queue, until the wave waits for it, its workgroup
// touches the address again, or the scheduler lets it arrive. Those of one wave may arrive in any order.

#include "runtime/wave.h"

namespace gfx942 {

/// Makes one store visible to everyone.
void applyStore(Wave &w, const DelayedStore &store);

/// Makes the queued stores that `which` picks visible, oldest first.
template <class Which> void applyStores(Wave &w, const Which &which) {
    size_t kept = 0;
    for (size_t i = 0; i < w.delayed.size(); i++) {
        if (which(w.delayed[i])) {
            applyStore(w, w.delayed[i]);
        } else {
            w.delayed[kept++] = w.delayed[i];
        }
    }
    w.delayed.resize(kept);
}

inline void applyAllStores(Wave &w) {
    applyStores(w, [](const DelayedStore &) { return true; });
}

/// Applies what the wave's workgroup has queued for [begin, end): one compute unit's accesses to an address keep order.
void settleStores(Wave &w, u64 begin, u64 end);

} // namespace gfx942
