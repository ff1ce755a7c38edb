#include "runtime/coherence.h"
#include "runtime/control.h"
#include "runtime/forms.h"
#include "runtime/launch.h"
#include "runtime/memory_access.h"
#include "runtime/store_queue.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace gfx942 {

namespace {

/// Lowest and past the highest address of the lanes in `x`.
struct Range {
    u64 begin, end;
};

Range rangeOf(const Addresses &at, u32 bytes, u64 x) {
    Range range{~0ull, 0};
    for (u64 left = x; left != 0; left &= left - 1) {
        const u64 address = at.lane[__builtin_ctzll(left)];
        range = {std::min(range.begin, address), std::max(range.end, address + bytes)};
    }
    return range;
}

bool anyDelayed(const Wave &w) {
    return std::ranges::any_of(w.group->waves, [](const Wave *wave) { return !wave->delayed.empty(); });
}

/// Whole dwords of all lanes from memory that no launch has written, the way weights are read.
void loadPlain(Wave &w, const Access &access, const Addresses &at) {
    for (u32 word = 0; word < access.dwords; word++) {
        for (u32 lane = 0; lane < laneCount; lane++) {
            std::memcpy(&w.v[access.reg + word][lane], reinterpret_cast<const void *>(at.lane[lane] + 4 * word), 4);
        }
        w.defined[access.reg + word] = ~0ull;
    }
}

void loadLane(Wave &w, const Access &access, u64 address, u32 lane) {
    const u32 bytes = elementBytes(access);
    const u32 defined = inspectLoad(w, access, address, bytes);
    u32 data[4] = {};
    std::memcpy(data, reinterpret_cast<const void *>(address), bytes);
    toRegisters(w, access, lane, data, defined);
}

DelayedStore storeOf(Wave &w, const Access &access, u64 address, u32 lane) {
    DelayedStore store{
        .address = address, .bytes = elementBytes(access), .device = access.sc1, .system = access.sc0 && access.sc1};
    store.defined = fromRegisters(w, access, access.reg, lane, store.data);
    if (w.launch->memory.kindAt(address) == MemoryKind::pinned) {
        if (!store.system) {
            fail(w, FaultKind::incoherent, access.instruction, "store to host memory without system scope");
        }
        if (store.defined != (1u << access.dwords) - 1) {
            fail(w, FaultKind::undefinedValue, access.instruction, "undefined value stored for the host");
        }
    }
    return store;
}

/// Another device sees 8 aligned bytes at once, no more.
void sendPieces(Wave &w, const DelayedStore &whole) {
    for (u32 done = 0; done < whole.bytes;) {
        DelayedStore piece = whole;
        piece.toPeer = true;
        piece.address = whole.address + done;
        piece.bytes = std::min(whole.bytes - done, 8 - static_cast<u32>(piece.address % 8));
        std::memcpy(piece.data, reinterpret_cast<const std::byte *>(whole.data) + done, piece.bytes);
        piece.defined = whole.defined >> done / 4;
        w.sent.push_back(piece);
        done += piece.bytes;
    }
}

} // namespace

void globalLoad(Wave &w, const Access &given, const Addresses &at, u64 known, u64 x) {
    const Access access = scoped(w, given);
    const u32 bytes = elementBytes(access);
    checkKnown(w, access.instruction, known, x);
    if (x != 0) {
        checkAddresses(w, access, at, bytes, x);
        const Range range = rangeOf(at, bytes, x);
        if (anyDelayed(w)) {
            settleStores(w, range.begin, range.end);
        }
        if (access.sc1) {
            w.launch->notePoll(w, at, x);
        }
        if (access.nt && w.launch->options.streamed) {
            for (u64 left = x; left != 0; left &= left - 1) {
                w.launch->options.streamed(w.group->number % dies, at.lane[__builtin_ctzll(left)]);
            }
        }
        if (x == ~0ull && access.form == Form::dwords &&
            w.launch->memory.isPlain(range.begin, range.end - range.begin)) {
            loadPlain(w, access, at);
        } else {
            for (u64 left = x; left != 0; left &= left - 1) {
                const u32 lane = static_cast<u32>(__builtin_ctzll(left));
                loadLane(w, access, at.lane[lane], lane);
            }
        }
    }
    issueVector(w, access.instruction, access.reg, access.dwords);
}

void globalStore(Wave &w, const Access &given, const Addresses &at, u64 known, u64 x) {
    const Access access = scoped(w, given);
    if (w.launch->patch(access.instruction) == Patch::removed) {
        return;
    }
    checkKnown(w, access.instruction, known, x);
    const bool toPeers = checkStoreAddresses(w, access, at, elementBytes(access), x);
    if (x != 0 && anyDelayed(w)) {
        const Range range = rangeOf(at, elementBytes(access), x);
        settleStores(w, range.begin, range.end);
    }
    if (toPeers) {
        settleSent(w, at, elementBytes(access), x);
    }
    const u32 number = issueVector(w, access.instruction, 0, 0);
    const bool late = w.launch->chance(2);
    const size_t sent = w.sent.size();
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left));
        DelayedStore store = storeOf(w, access, at.lane[lane], lane);
        store.number = number;
        if (toPeers && !w.launch->memory.holds(store.address)) {
            sendPieces(w, store);
        } else if (late) {
            w.delayed.push_back(store);
        } else {
            applyStore(w, store);
        }
    }
    if (w.sent.size() > sent) {
        w.launch->interconnect.send(w, sent);
    }
}

void globalAtomic(Wave &w, const Access &given, const Addresses &at, u32 data, u64 known, u64 x) {
    Access access = scoped(w, given);
    const u32 bytes = 4 * access.dwords;
    checkKnown(w, access.instruction, known, x);
    checkAddresses(w, access, at, bytes, x);
    const bool system = access.sc1;
    access.sc0 = system;
    access.sc1 = true; // performed where all compute units see it
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left));
        const u64 address = at.lane[lane];
        settleStores(w, address, address + bytes);
        bool defined = inspectLoad(w, access, address, bytes) == allDefined;
        for (u32 word = 0; word < access.dwords * (access.operation == Operation::compareExchange ? 2 : 1); word++) {
            defined = defined && (w.defined[data + word] >> lane & 1);
        }
        DelayedStore store{
            .address = address, .bytes = bytes, .defined = defined ? allDefined : 0, .device = true, .system = system};
        u32 old[4] = {};
        std::memcpy(old, reinterpret_cast<const void *>(address), bytes);
        combine(access.operation, bytes, old, &w.v[data][lane], laneCount, store.data);
        applyStore(w, store);
        if (access.returns) {
            toRegisters(w, access, lane, old, defined ? allDefined : 0);
        }
    }
    issueVector(w, access.instruction, access.reg, access.returns ? access.dwords : 0);
}

} // namespace gfx942
