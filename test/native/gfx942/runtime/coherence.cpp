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

void checkAddress(const Wave &w, const Access &access, u64 address, u32 bytes) {
    if (!w.launch->memory.contains(address, bytes)) {
        fail(w, FaultKind::outOfBounds, access.instruction, "address " + hexadecimal(address));
    }
    if (address % (bytes < 4 ? bytes : 4) != 0) {
        fail(w, FaultKind::misaligned, access.instruction, "address " + hexadecimal(address));
    }
}

} // namespace

Access scoped(const Wave &w, Access access) {
    if (w.launch->patch(access.instruction) == Patch::plain) {
        access.sc0 = access.sc1 = false;
    }
    return access;
}

void checkKnown(const Wave &w, u32 instruction, u64 known, u64 x) {
    if ((known & x) != x) {
        fail(w, FaultKind::undefinedValue, instruction, "undefined address");
    }
}

void checkAddresses(const Wave &w, const Access &access, const Addresses &at, u32 bytes, u64 x) {
    u64 low = ~0ull, top = 0, any = 0;
    for (u64 left = x; left != 0; left &= left - 1) {
        const u64 address = at.lane[__builtin_ctzll(left)];
        low = address < low ? address : low;
        top = address > top ? address : top;
        any |= address;
    }
    // Mostly one check serves all lanes.
    if (any % (bytes < 4 ? bytes : 4) == 0 && w.launch->memory.contains(low, top - low + bytes)) {
        return;
    }
    for (u64 left = x; left != 0; left &= left - 1) {
        checkAddress(w, access, at.lane[__builtin_ctzll(left)], bytes);
    }
}

void checkCoherent(const Wave &w, const Access &access, u64 address, const Shadow &shadow) {
    Launch &launch = *w.launch;
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
