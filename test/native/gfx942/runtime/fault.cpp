#include "runtime/fault.h"

#include "runtime/launch.h"

#include <cstdio>
#include <cstdlib>

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
    case FaultKind::peerAccess:
        return "access to another device";
    case FaultKind::peerScope:
        return "access between devices without system scope";
    }
    return "fault";
}

namespace {

/// For whoever looks for the cause: every register with its defined bits or lanes.
void dumpRegisters(const Wave &w) {
    for (u32 r = 0; r < 128; r++) {
        std::fprintf(stderr, "s%u %08x/%08x%s", r, w.s[r], w.scalarDefined[r], r % 8 == 7 ? "\n" : "  ");
    }
    for (u32 r = 0; r < vectorWords; r++) {
        if (w.defined[r] != 0 && w.defined[r] != ~0ull) {
            std::fprintf(stderr, "v%u defined %016llx\n", r, static_cast<unsigned long long>(w.defined[r]));
        }
    }
}

} // namespace

void fail(const Wave &wave, FaultKind kind, u32 instruction, const std::string &what) {
    if (std::getenv("GFX942_DUMP") != nullptr) {
        dumpRegisters(wave);
    }
    const InstructionText &at = wave.launch->kernel.instructions[instruction];
    char place[160];
    std::snprintf(place, sizeof place, "workgroup %u wave %u, %s+%#llx: ", wave.group->number, wave.index, at.region,
                  static_cast<unsigned long long>(at.address));
    const Launch &launch = *wave.launch;
    const std::string device =
        launch.interconnect.size() > 1 ? "device " + std::to_string(launch.device) + ", " : std::string();
    std::string message = device + place + ("'" + std::string(at.text) + "': ") + what;
    if (kind == FaultKind::undefinedValue && wave.group->undefinedAddress != 0) {
        message += std::string("; its workgroup last loaded undefined memory by '") +
                   wave.launch->kernel.instructions[wave.group->undefinedBy].text + "' at " +
                   wave.launch->memory.describe(wave.group->undefinedAddress);
    }
    throw ExecutionFault(kind, message);
}

} // namespace gfx942
