#include "runtime/control.h"
#include "runtime/forms.h"
#include "runtime/launch.h"
#include "runtime/memory_access.h"

#include <cstdio>
#include <cstring>

namespace gfx942 {

namespace {

std::string hexadecimal(u64 value) {
    char text[24];
    std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(value));
    return text;
}

std::byte *hostPointer(u64 address) { return reinterpret_cast<std::byte *>(address); }

Access scoped(const Wave &w, Access access) {
    if (w.launch->patch(access.instruction) == Patch::plain) {
        access.sc0 = access.sc1 = false;
    }
    return access;
}

void checkAddress(const Wave &w, const Access &access, u64 address, u32 bytes) {
    if (!w.launch->memory.contains(address, bytes)) {
        fail(w, FaultKind::outOfBounds, access.instruction, "address " + hexadecimal(address));
    }
    if (address % (bytes < 4 ? bytes : 4) != 0) {
        fail(w, FaultKind::misaligned, access.instruction, "address " + hexadecimal(address));
    }
}

void checkKnown(const Wave &w, u32 instruction, u64 known, u64 x) {
    if ((known & x) != x) {
        fail(w, FaultKind::undefinedValue, instruction, "undefined address");
    }
}

/// Stores that this wave's workgroup has under way to the range come first: one compute unit's accesses keep order.
void settleStores(Wave &w, u64 begin, u64 end) {
    for (Wave *other : w.group->waves) {
        if (!other->delayed.empty()) {
            applyStores(*other, [&](const DelayedStore &store) {
                return store.address < end && begin < store.address + store.bytes;
            });
        }
    }
}

/// Whether a load of the workgroup must see what was stored at this dword: device scope on both sides, or a write-back
/// after the store and an invalidation after that.
void checkCoherent(const Wave &w, const Access &access, u64 address, const Shadow &shadow) {
    Launch &launch = *w.launch;
    if (shadow.launch != launch.number || shadow.writer == w.group->number) {
        return;
    }
    const u32 writtenBack = launch.group(shadow.writer).writtenBack;
    const bool visible = shadow.device || shadow.time < writtenBack;
    const u32 since = shadow.device ? shadow.time : writtenBack;
    if (!visible || !(access.sc1 || w.group->invalidated > since)) {
        fail(w, FaultKind::incoherent, access.instruction,
             "address " + hexadecimal(address) + " was written by workgroup " + std::to_string(shadow.writer) +
                 (visible ? ", read without device scope" : " without device scope"));
    }
}

/// One bit a dword of the range: is it defined?
u32 inspectLoad(const Wave &w, const Access &access, u64 address, u32 bytes) {
    const DeviceMemory &memory = w.launch->memory;
    if (memory.isPlain(address, bytes)) {
        return allDefined;
    }
    u32 undefined = 0, word = 0;
    for (u64 at = address & ~3ull; at < address + bytes; at += 4) {
        if (!memory.isPlain(at, 4)) {
            checkCoherent(w, access, at, memory.shadow(at));
        }
        undefined |= static_cast<u32>(memory.firstUndefined(at, 4) != 0) << word++;
    }
    return ~undefined;
}

void applyStore(Wave &w, const DelayedStore &store) {
    Launch &launch = *w.launch;
    launch.memory.useShadow(store.address, store.bytes);
    std::memcpy(hostPointer(store.address), store.data, store.bytes);
    launch.time++;
    launch.sawStore();
    u32 word = 0;
    for (u64 at = store.address & ~3ull; at < store.address + store.bytes; at += 4) {
        launch.memory.shadow(at) = {launch.time, launch.number, static_cast<uint16_t>(w.group->number & 0xfff),
                                    store.device, static_cast<uint16_t>(store.defined >> word++ & 1)};
    }
}

/// All lanes read consecutive elements of one plain range, the way weights are read.
bool loadRow(Wave &w, const Access &access, const Addresses &at, u64 x) {
    const u32 bytes = 4 * access.dwords;
    if (x != ~0ull || access.form != Form::dwords) {
        return false;
    }
    for (u32 lane = 0; lane < laneCount; lane++) {
        if (at.lane[lane] != at.lane[0] + lane * bytes) {
            return false;
        }
    }
    const DeviceMemory &memory = w.launch->memory;
    if (at.lane[0] % 4 != 0 || !memory.contains(at.lane[0], laneCount * bytes) ||
        !memory.isPlain(at.lane[0], laneCount * bytes)) {
        return false;
    }
    const u32 *from = reinterpret_cast<const u32 *>(at.lane[0]);
    for (u32 word = 0; word < access.dwords; word++) {
        for (u32 lane = 0; lane < laneCount; lane++) {
            w.v[access.reg + word][lane] = from[lane * access.dwords + word];
        }
        w.defined[access.reg + word] = ~0ull;
    }
    return true;
}

void loadLane(Wave &w, const Access &access, u64 address, u32 lane) {
    const u32 bytes = elementBytes(access);
    checkAddress(w, access, address, bytes);
    settleStores(w, address, address + bytes);
    const u32 defined = inspectLoad(w, access, address, bytes);
    if (defined != allDefined) {
        w.group->undefinedAddress = address;
        w.group->undefinedBy = access.instruction;
    }
    u32 data[4] = {};
    std::memcpy(data, hostPointer(address), bytes);
    toRegisters(w, access, lane, data, defined);
}

DelayedStore storeOf(Wave &w, const Access &access, u64 address, u32 lane) {
    DelayedStore store{address, elementBytes(access), 0, {}, 0, access.sc1, access.sc0 && access.sc1};
    store.defined = fromRegisters(w, access, access.reg, lane, store.data);
    checkAddress(w, access, address, store.bytes);
    if (w.launch->memory.isPinned(address)) {
        if (!store.system) {
            fail(w, FaultKind::incoherent, access.instruction, "store to host memory without system scope");
        }
        if (store.defined != (1u << access.dwords) - 1) {
            fail(w, FaultKind::undefinedValue, access.instruction, "undefined value stored for the host");
        }
    }
    return store;
}

} // namespace

void applyStores(Wave &w, const std::function<bool(const DelayedStore &)> &which) {
    size_t kept = 0;
    for (const DelayedStore &store : w.delayed) {
        if (which(store)) {
            applyStore(w, store);
        } else {
            w.delayed[kept++] = store;
        }
    }
    w.delayed.resize(kept);
}

void globalLoad(Wave &w, const Access &given, const Addresses &at, u64 known, u64 x) {
    const Access access = scoped(w, given);
    checkKnown(w, access.instruction, known, x);
    if (!loadRow(w, access, at, x)) {
        for (u64 left = x; left != 0; left &= left - 1) {
            const u32 lane = static_cast<u32>(__builtin_ctzll(left));
            loadLane(w, access, at.lane[lane], lane);
        }
    }
    issueVector(w, access.reg, access.dwords);
}

void globalStore(Wave &w, const Access &given, const Addresses &at, u64 known, u64 x) {
    const Access access = scoped(w, given);
    if (w.launch->patch(access.instruction) == Patch::removed) {
        return;
    }
    checkKnown(w, access.instruction, known, x);
    const u32 number = issueVector(w, 0, 0);
    const bool late = w.launch->chance(2);
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left));
        DelayedStore store = storeOf(w, access, at.lane[lane], lane);
        store.number = number;
        settleStores(w, store.address, store.address + store.bytes);
        if (late) {
            w.delayed.push_back(store);
        } else {
            applyStore(w, store);
        }
    }
}

void globalAtomic(Wave &w, const Access &given, const Addresses &at, u32 data, u64 known, u64 x) {
    const Access access = scoped(w, given);
    checkKnown(w, access.instruction, known, x);
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left)), bytes = 4 * access.dwords;
        const u64 address = at.lane[lane];
        checkAddress(w, access, address, bytes);
        settleStores(w, address, address + bytes);
        Access reading = access;
        reading.sc1 = true; // performed where all compute units see it
        bool defined = inspectLoad(w, reading, address, bytes) == allDefined;
        for (u32 word = 0; word < access.dwords * (access.operation == Operation::compareExchange ? 2 : 1); word++) {
            defined = defined && (w.defined[data + word] >> lane & 1);
        }
        DelayedStore store{address, bytes, 0, {}, defined ? allDefined : 0, true, access.sc1};
        u32 old[4] = {};
        std::memcpy(old, hostPointer(address), bytes);
        combine(access.operation, bytes, old, &w.v[data][lane], laneCount, store.data);
        applyStore(w, store);
        if (access.returns) {
            toRegisters(w, access, lane, old, defined ? allDefined : 0);
        }
    }
    issueVector(w, access.reg, access.returns ? access.dwords : 0);
}

namespace {

/// Lanes whose element lies inside the buffer, and the addresses of all.
u64 bufferAddresses(const Wave &w, const Access &access, const Offsets &at, u32 resource, u32 base, Addresses &out) {
    const u64 start = w.s[resource] | static_cast<u64>(w.s[resource + 1] & 0xffff) << 32;
    const u32 records = w.s[resource + 2];
    if (w.s[resource + 1] >> 16 != 0) {
        fail(w, FaultKind::misaligned, access.instruction, "buffer resource with a stride");
    }
    u64 inside = 0;
    for (u32 lane = 0; lane < laneCount; lane++) {
        const u64 offset = static_cast<u64>(at.lane[lane]) + base;
        out.lane[lane] = start + offset;
        inside |= static_cast<u64>(offset + elementBytes(access) <= records) << lane;
    }
    return inside;
}

void checkResource(const Wave &w, const Access &access, u32 resource) {
    for (u32 word = 0; word < 4; word++) {
        if (w.scalarDefined[resource + word] != ~0u) {
            fail(w, FaultKind::undefinedValue, access.instruction, "undefined buffer resource");
        }
    }
}

} // namespace

void bufferLoad(Wave &w, const Access &access, const Offsets &at, u32 resource, u32 base, u64 known, u64 x) {
    checkResource(w, access, resource);
    Addresses address;
    const u64 inside = bufferAddresses(w, access, at, resource, base, address);
    const u32 zero[4] = {};
    for (u64 left = x & ~inside; left != 0; left &= left - 1) {
        toRegisters(w, access, static_cast<u32>(__builtin_ctzll(left)), zero, allDefined);
    }
    globalLoad(w, access, address, known, x & inside);
}

void bufferStore(Wave &w, const Access &access, const Offsets &at, u32 resource, u32 base, u64 known, u64 x) {
    checkResource(w, access, resource);
    Addresses address;
    const u64 inside = bufferAddresses(w, access, at, resource, base, address);
    globalStore(w, access, address, known, x & inside);
}

void scalarLoad(Wave &w, u32 instruction, u32 r, u32 dwords, u64 address, u64 known) {
    const Access access{instruction, static_cast<uint16_t>(r), 1,     Form::dwords, Operation::none,
                        false,       false,                    false, false};
    checkKnown(w, instruction, known, ~0ull);
    address &= ~3ull;
    const DeviceMemory &memory = w.launch->memory;
    for (u32 word = 0; word < dwords; word++) {
        const u64 at = address + 4 * word;
        checkAddress(w, access, at, 4);
        const bool plain = memory.isPlain(at, 4);
        if (!plain && memory.shadow(at).launch == w.launch->number) {
            fail(w, FaultKind::incoherent, instruction, "scalar load of data stored by this launch");
        }
        std::memcpy(&w.s[r + word], hostPointer(at), 4);
        w.scalarDefined[r + word] = memory.firstUndefined(at, 4) == 0 ? ~0u : 0u;
    }
    issueScalar(w, r, dwords);
}

void writeBack(Wave &w, u32 instruction, bool device) {
    if (device && w.launch->patch(instruction) == Patch::none) {
        applyStores(w, [](const DelayedStore &) { return true; });
        w.group->writtenBack = ++w.launch->time;
    }
    issueVector(w, 0, 0);
}

void invalidate(Wave &w, u32 instruction, bool device) {
    if (device && w.launch->patch(instruction) == Patch::none) {
        w.group->invalidated = ++w.launch->time;
    }
}

} // namespace gfx942
