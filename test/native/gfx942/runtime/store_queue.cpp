#include "runtime/store_queue.h"

#include "runtime/launch.h"

#include <cstring>

namespace gfx942 {

void applyStore(Wave &w, const DelayedStore &store) {
    Launch &launch = *w.launch;
    launch.memory.useShadow(store.address, store.bytes);
    std::memcpy(reinterpret_cast<void *>(store.address), store.data, store.bytes);
    launch.time++;
    launch.sawStore(store.address);
    u32 word = 0;
    for (u64 at = store.address & ~3ull; at < store.address + store.bytes; at += 4) {
        launch.memory.shadow(at) = {launch.time, launch.number, static_cast<uint16_t>(w.group->number & 0xfff),
                                    store.device, static_cast<uint16_t>(store.defined >> word++ & 1)};
    }
}

void settleStores(Wave &w, u64 begin, u64 end) {
    for (Wave *other : w.group->waves) {
        if (!other->delayed.empty()) {
            applyStores(*other, [&](const DelayedStore &store) {
                return store.address < end && begin < store.address + store.bytes;
            });
        }
    }
}

} // namespace gfx942
