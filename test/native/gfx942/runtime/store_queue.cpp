#include "runtime/store_queue.h"

#include "runtime/interconnect.h"
#include "runtime/launch.h"

#include <cstring>

namespace gfx942 {

void applyStore(Wave &w, const DelayedStore &store) {
    Launch &launch = *w.launch;
    if (store.toPeer) {
        launch.interconnect.deliver(launch.device, store);
        return;
    }
    launch.memory.useShadow(store.address, store.bytes);
    std::memcpy(reinterpret_cast<void *>(store.address), store.data, store.bytes);
    launch.time++;
    launch.interconnect.countStore();
    launch.sawStore(store.address);
    u32 word = 0;
    for (u64 at = store.address & ~3ull; at < store.address + store.bytes; at += 4) {
        launch.memory.shadow(at) = {.time = launch.time,
                                    .launch = launch.number,
                                    .writer = static_cast<uint16_t>(w.group->number & 0xfff),
                                    .device = store.device,
                                    .defined = static_cast<uint16_t>(store.defined >> word++ & 1)};
    }
}

void settleStores(Wave &w, u64 begin, u64 end) {
    for (Wave *other : w.group->waves) {
        if (!other->delayed.empty()) {
            applyStores(*other, other->delayed, [&](const DelayedStore &store) {
                return store.address < end && begin < store.address + store.bytes;
            });
        }
    }
}

void settleSent(Wave &w, const Addresses &at, u32 bytes, u64 x) {
    const auto storedAgain = [&](const DelayedStore &store) {
        for (u64 left = x; left != 0; left &= left - 1) {
            const u64 address = at.lane[__builtin_ctzll(left)];
            if (store.address < address + bytes && address < store.address + store.bytes) {
                return true;
            }
        }
        return false;
    };
    for (Wave *other : w.group->waves) {
        if (!other->sent.empty()) {
            applyStores(*other, other->sent, storedAgain);
        }
    }
}

} // namespace gfx942
