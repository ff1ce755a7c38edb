#include "runtime/coherence.h"

#include "runtime/launch.h"

#include <cstdio>

namespace gfx942 {

namespace {

std::string hexadecimal(u64 value) {
    char text[24];
    std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(value));
    return text;
}

void checkAligned(const Wave &w, const Access &access, u64 address, u32 bytes) {
    if (address % (bytes < 4 ? bytes : 4) != 0) {
        fail(w, FaultKind::misaligned, access.instruction, "address " + hexadecimal(address));
    }
}

/// Whether one check serves all lanes, as it mostly does.
bool allInOneAllocation(const Wave &w, const Addresses &at, u32 bytes, u64 x) {
    u64 low = ~0ull, top = 0, any = 0;
    for (u64 left = x; left != 0; left &= left - 1) {
        const u64 address = at.lane[__builtin_ctzll(left)];
        low = address < low ? address : low;
        top = address > top ? address : top;
        any |= address;
    }
    return any % (bytes < 4 ? bytes : 4) == 0 && w.launch->memory.contains(low, top - low + bytes);
}

void checkPeerStore(const Wave &w, const Access &access, u64 address, u32 bytes) {
    const Launch &launch = *w.launch;
    const Interconnect &box = launch.interconnect;
    const u32 peer = box.otherOwner(launch.device, address);
    if (peer == Interconnect::none || !box.memory(peer).contains(address, bytes)) {
        failOutside(w, access.instruction, address);
    }
    const std::string where = box.describe(peer, address);
    if (box.memory(peer).kindAt(address) != MemoryKind::mailboxes) {
        fail(w, FaultKind::peerAccess, access.instruction, "store to " + where + ", which is not for mailboxes");
    }
    if (!box.connected(launch.device, peer)) {
        fail(w, FaultKind::peerAccess, access.instruction, "store to " + where + ", which is not connected");
    }
    if (!access.sc0 || !access.sc1) {
        fail(w, FaultKind::peerScope, access.instruction, "store to " + where);
    }
}

} // namespace

void failOutside(const Wave &w, u32 instruction, u64 address) {
    const Interconnect &box = w.launch->interconnect;
    const u32 peer = box.otherOwner(w.launch->device, address);
    if (peer != Interconnect::none) {
        fail(w, FaultKind::peerAccess, instruction,
             "address " + hexadecimal(address) + " is " + box.describe(peer, address));
    }
    fail(w, FaultKind::outOfBounds, instruction, "address " + hexadecimal(address));
}

Access scoped(const Wave &w, Access access) {
    const Patch patch = w.launch->patch(access.instruction);
    if (patch == Patch::plain || patch == Patch::agent) {
        access.sc0 = false;
        access.sc1 = access.sc1 && patch == Patch::agent;
    }
    return access;
}

void checkKnown(const Wave &w, u32 instruction, u64 known, u64 x) {
    if ((known & x) != x) {
        fail(w, FaultKind::undefinedValue, instruction, "undefined address");
    }
}

void checkAddresses(const Wave &w, const Access &access, const Addresses &at, u32 bytes, u64 x) {
    if (allInOneAllocation(w, at, bytes, x)) {
        return;
    }
    for (u64 left = x; left != 0; left &= left - 1) {
        const u64 address = at.lane[__builtin_ctzll(left)];
        if (!w.launch->memory.contains(address, bytes)) {
            failOutside(w, access.instruction, address);
        }
        checkAligned(w, access, address, bytes);
    }
}

bool checkStoreAddresses(const Wave &w, const Access &access, const Addresses &at, u32 bytes, u64 x) {
    if (allInOneAllocation(w, at, bytes, x)) {
        return false;
    }
    bool anyPeer = false;
    for (u64 left = x; left != 0; left &= left - 1) {
        const u64 address = at.lane[__builtin_ctzll(left)];
        if (!w.launch->memory.contains(address, bytes)) {
            checkPeerStore(w, access, address, bytes);
            anyPeer = true;
        }
        checkAligned(w, access, address, bytes);
    }
    return anyPeer;
}

void checkCoherent(const Wave &w, const Access &access, u64 address, const Shadow &shadow) {
    Launch &launch = *w.launch;
    if (shadow.launch == launch.number && shadow.peer) {
        if (!access.sc0 || !access.sc1) {
            fail(w, FaultKind::peerScope, access.instruction,
                 launch.memory.describe(address) + " was written by device " + std::to_string(shadow.writer));
        }
        return;
    }
    if (shadow.launch != launch.number || shadow.writer == w.group->number || (shadow.device && access.sc1)) {
        return;
    }
    const u32 writtenBack = launch.group(shadow.writer).writtenBack;
    const bool visible = shadow.device || shadow.time < writtenBack;
    const u32 since = shadow.device ? shadow.time : writtenBack;
    if (!visible || !(access.sc1 || w.group->invalidated > since)) {
        fail(w, FaultKind::incoherent, access.instruction,
             launch.memory.describe(address) + " was written by workgroup " + std::to_string(shadow.writer) +
                 (visible ? ", read without device scope" : " without device scope"));
    }
}

u32 inspectLoad(const Wave &w, const Access &access, u64 address, u32 bytes) {
    const DeviceMemory &memory = w.launch->memory;
    u32 undefined = 0, word = 0;
    for (u64 at = address & ~3ull; at < address + bytes; at += 4, word++) {
        if (memory.isPlain(at, 4)) {
            continue;
        }
        const Shadow &shadow = memory.shadow(at);
        checkCoherent(w, access, at, shadow);
        undefined |= static_cast<u32>(!memory.isShadowed(at) || !shadow.defined) << word;
    }
    if (undefined != 0) {
        w.group->undefinedAddress = address;
        w.group->undefinedBy = access.instruction;
    }
    return ~undefined;
}

} // namespace gfx942
