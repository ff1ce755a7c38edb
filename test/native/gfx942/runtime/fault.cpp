#include "runtime/fault.h"

#include "runtime/launch.h"

#include <cstdio>

namespace gfx942 {

const char *name(FaultKind kind) {
    switch (kind) {
    case FaultKind::missingWait:
        return "missing wait";
    case FaultKind::incoherent:
        return "incoherent access";
    case FaultKind::race:
        return "LDS race";
    case FaultKind::undefinedValue:
        return "undefined value";
    case FaultKind::outOfBounds:
        return "out of bounds";
    case FaultKind::misaligned:
        return "misaligned access";
    case FaultKind::deadlock:
        return "deadlock";
    }
    return "fault";
}

void fail(const Wave &wave, FaultKind kind, u32 instruction, const std::string &what) {
    const InstructionText &at = wave.launch->kernel.instructions[instruction];
    char place[160];
    std::snprintf(place, sizeof place, "workgroup %u wave %u, %s+%#llx: ", wave.group->number, wave.index, at.region,
                  static_cast<unsigned long long>(at.address));
    throw ExecutionFault(kind, place + ("'" + std::string(at.text) + "': ") + what);
}

} // namespace gfx942
