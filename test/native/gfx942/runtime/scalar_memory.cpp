#include "runtime/coherence.h"
#include "runtime/control.h"
#include "runtime/launch.h"
#include "runtime/memory_access.h"
#include "runtime/store_queue.h"

#include <cstring>

namespace gfx942 {

void scalarLoad(Wave &w, u32 instruction, u32 r, u32 dwords, u64 address, u64 known) {
    checkKnown(w, instruction, known, ~0ull);
    address &= ~3ull;
    const DeviceMemory &memory = w.launch->memory;
    if (!memory.contains(address, 4 * dwords)) {
        failOutside(w, instruction, address);
    }
    for (u32 word = 0; word < dwords; word++) {
        const u64 at = address + 4 * word;
        if (!memory.isPlain(at, 4) && memory.shadow(at).launch == w.launch->number) {
            fail(w, FaultKind::incoherent, instruction, "scalar load of data stored by this launch");
        }
        std::memcpy(&w.s[r + word], reinterpret_cast<const void *>(at), 4);
        w.scalarDefined[r + word] = memory.firstUndefined(at, 4) == 0 ? ~0u : 0u;
    }
    issueScalar(w, r, dwords);
}

void writeBack(Wave &w, u32 instruction, bool device) {
    if (device && w.launch->patch(instruction) == Patch::none) {
        applyOwnStores(w);
        w.group->writtenBack = ++w.launch->time;
    }
    issueVector(w, instruction, 0, 0);
}

void invalidate(Wave &w, u32 instruction, bool device) {
    if (device && w.launch->patch(instruction) == Patch::none) {
        w.group->invalidated = ++w.launch->time;
    }
}

} // namespace gfx942
