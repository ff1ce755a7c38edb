#include "runtime/coherence.h"
#include "runtime/forms.h"
#include "runtime/launch.h"
#include "runtime/memory_access.h"

namespace gfx942 {

namespace {

/// Lanes whose element lies inside the buffer, and the addresses of all.
u64 bufferAddresses(const Wave &w, const Access &access, const Offsets &at, u32 resource, u32 base, Addresses &out) {
    for (u32 word = 0; word < 4; word++) {
        if (w.scalarDefined[resource + word] != ~0u) {
            fail(w, FaultKind::undefinedValue, access.instruction, "undefined buffer resource");
        }
    }
    if (w.s[resource + 1] >> 16 != 0) {
        fail(w, FaultKind::misaligned, access.instruction, "buffer resource with a stride");
    }
    const u64 start = w.s[resource] | static_cast<u64>(w.s[resource + 1] & 0xffff) << 32;
    const u32 records = w.s[resource + 2];
    u64 inside = 0;
    for (u32 lane = 0; lane < laneCount; lane++) {
        const u64 offset = static_cast<u64>(at.lane[lane]) + base;
        out.lane[lane] = start + offset;
        inside |= static_cast<u64>(offset + elementBytes(access) <= records) << lane;
    }
    return inside;
}

} // namespace

void bufferLoad(Wave &w, const Access &access, const Offsets &at, u32 resource, u32 base, u64 known, u64 x) {
    Addresses address;
    const u64 inside = bufferAddresses(w, access, at, resource, base, address);
    const u32 zero[4] = {};
    for (u64 left = x & ~inside; left != 0; left &= left - 1) {
        toRegisters(w, access, static_cast<u32>(__builtin_ctzll(left)), zero, allDefined);
    }
    globalLoad(w, access, address, known, x & inside);
}

void bufferStore(Wave &w, const Access &access, const Offsets &at, u32 resource, u32 base, u64 known, u64 x) {
    Addresses address;
    const u64 inside = bufferAddresses(w, access, at, resource, base, address);
    globalStore(w, access, address, known, x & inside);
}

} // namespace gfx942
