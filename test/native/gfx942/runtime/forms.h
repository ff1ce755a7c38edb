#pragma once

// Between register bits and memory bytes, and what atomics compute.

#include "runtime/wave.h"

namespace gfx942 {

/// Bytes that one lane moves.
constexpr u32 elementBytes(const Access &access) {
    switch (access.form) {
    case Form::dwords:
        return 4 * access.dwords;
    case Form::unsignedHalf:
    case Form::signedHalf:
    case Form::lowHalf:
    case Form::highHalf:
        return 2;
    default:
        return 1;
    }
}

constexpr u32 allDefined = ~0u; ///< one bit a dword

/// Puts loaded bytes into a lane's registers.
void toRegisters(Wave &w, const Access &access, u32 lane, const u32 *data, u32 defined);
/// Takes a lane's bytes to store from registers from `first` on; returns which dwords are defined.
u32 fromRegisters(const Wave &w, const Access &access, u32 first, u32 lane, u32 *data);

/// result = old (operation) operand, `bytes` of 4 or 8; the operand's dwords (compareExchange: the new value, then the
/// expected one) are `stride` dwords apart.
void combine(Operation operation, u32 bytes, const u32 *old, const u32 *operand, u32 stride, u32 *result);

} // namespace gfx942
