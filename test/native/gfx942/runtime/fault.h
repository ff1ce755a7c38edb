#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace gfx942 {

/// What the execution found wrong with the kernel.
enum class FaultKind : uint8_t {
    missingWait,    ///< a register is used while a load into it is in flight
    incoherent,     ///< data of another workgroup through an access that need not see it
    race,           ///< two waves touch the same LDS word between two barriers, one of them writing
    undefinedValue, ///< an address, branch, exec mask or result for the host depends on something never written
    outOfBounds,    ///< outside every allocation, or outside the workgroup's LDS
    misaligned,
    deadlock,   ///< no wave can go on
    peerAccess, ///< of another device's memory, other than a store to the mailboxes of a connected one
    peerScope, ///< without system scope: a store to another device's mailboxes, or a load of what another device stored
};

const char *name(FaultKind kind);

class ExecutionFault : public std::runtime_error {
public:
    ExecutionFault(FaultKind faultKind, const std::string &message)
        : std::runtime_error(std::string(name(faultKind)) + ": " + message), kind(faultKind) {}
    FaultKind kind;
};

struct Wave;

/// Throws an ExecutionFault that says which wave and which instruction.
[[noreturn]] void fail(const Wave &wave, FaultKind kind, uint32_t instruction, const std::string &what);

} // namespace gfx942
