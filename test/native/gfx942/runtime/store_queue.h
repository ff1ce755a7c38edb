#pragma once

// Stores take time: each is applied at once or waits in its wave's queue, until the wave waits for it, its workgroup
// touches the address again, or the scheduler lets it arrive. Those of one wave may arrive in any order.

#include "runtime/wave.h"

#include <utility>

namespace gfx942 {

/// Makes one store visible to everyone.
void applyStore(Wave &w, const DelayedStore &store);

/// Makes the stores of one of the wave's queues that `which` picks visible, oldest first.
template <class Which> void applyStores(Wave &w, std::vector<DelayedStore> &queue, const Which &which) {
    size_t kept = 0;
    for (size_t i = 0; i < queue.size(); i++) {
        if (which(std::as_const(queue[i]))) {
            applyStore(w, queue[i]);
        } else {
            queue[kept++] = queue[i];
        }
    }
    queue.resize(kept);
}

/// All stores to the own device.
inline void applyOwnStores(Wave &w) {
    applyStores(w, w.delayed, [](const DelayedStore &) { return true; });
}

/// Applies what the wave's workgroup has queued for [begin, end): one compute unit's accesses to an address keep order.
void settleStores(Wave &w, u64 begin, u64 end);
/// The same for what it has sent to other devices, with the addresses of the lanes in `x`.
void settleSent(Wave &w, const Addresses &at, u32 bytes, u64 x);

} // namespace gfx942
