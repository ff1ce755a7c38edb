#pragma once

// Values of all 64 lanes as compiler vectors (clang only: the translated code is compiled by clang).

#include "runtime/wave.h"

namespace gfx942 {

using U = u32 __attribute__((vector_size(256)));
using I = i32 __attribute__((vector_size(256)));
using F = float __attribute__((vector_size(256)));
using Q = u64 __attribute__((vector_size(512)));
using L = i64 __attribute__((vector_size(512)));
using D = double __attribute__((vector_size(512)));
using H = _Float16 __attribute__((vector_size(128)));
using S = uint16_t __attribute__((vector_size(128)));
using Bits = bool __attribute__((ext_vector_type(64)));

#define INLINE [[gnu::always_inline]] inline

INLINE U splat(u32 value) { return U{} + value; }
INLINE Q splat64(u64 value) { return Q{} + value; }
INLINE F real(U x) { return __builtin_bit_cast(F, x); }
INLINE I integer(U x) { return __builtin_bit_cast(I, x); }
INLINE D real64(Q x) { return __builtin_bit_cast(D, x); }
INLINE L integer64(Q x) { return __builtin_bit_cast(L, x); }
INLINE U bits(F x) { return __builtin_bit_cast(U, x); }
INLINE U bits(I x) { return __builtin_bit_cast(U, x); }
INLINE U bits(U x) { return x; }
INLINE Q bits64(D x) { return __builtin_bit_cast(Q, x); }
INLINE Q bits64(L x) { return __builtin_bit_cast(Q, x); }
INLINE Q bits64(Q x) { return x; }
INLINE Q widen(U x) { return __builtin_convertvector(x, Q); }
INLINE L widen(I x) { return __builtin_convertvector(x, L); }
INLINE U narrow(Q x) { return __builtin_convertvector(x, U); }
INLINE U high(Q x) { return __builtin_convertvector(x >> 32, U); }
INLINE Q wide(U low, U top) { return widen(low) | (widen(top) << 32); }
INLINE F half(U x) { return __builtin_convertvector(__builtin_bit_cast(H, __builtin_convertvector(x, S)), F); }
INLINE U packHalf(F x) { return __builtin_convertvector(__builtin_bit_cast(S, __builtin_convertvector(x, H)), U); }
INLINE F absolute(F x) { return real(bits(x) & 0x7fffffffu); }
INLINE D absolute(D x) { return real64(bits64(x) & 0x7fffffffffffffffull); }
INLINE U part(U x, u32 shift, u32 width) { return (x >> shift) & ((1u << width) - 1u); }
INLINE U partSigned(U x, u32 shift, u32 width) { return bits(integer(x << (32 - width - shift)) >> i32(32 - width)); }
INLINE U insertField(U rest, U value, u32 shift, u32 width) {
    const u32 field = ((1u << width) - 1u) << shift;
    return (rest & ~field) | ((value << shift) & field);
}

/// One bit a lane from a comparison's all-ones lanes, and back.
INLINE u64 maskOf(I x) { return __builtin_bit_cast(u64, __builtin_convertvector(x & 1, Bits)); }
INLINE u64 maskOf(L x) { return __builtin_bit_cast(u64, __builtin_convertvector(x & 1, Bits)); }
INLINE I choose(u64 lanes) { return -__builtin_convertvector(__builtin_bit_cast(Bits, lanes), I); }
INLINE U chooseLanes(u64 lanes, U yes, U no) { return choose(lanes) ? yes : no; }
INLINE Q bitLanes(u64 lanes) { return __builtin_convertvector(__builtin_bit_cast(Bits, lanes), Q); }

INLINE U laneNumbers() {
    U numbers;
    for (u32 lane = 0; lane < laneCount; lane++) {
        numbers[lane] = lane;
    }
    return numbers;
}

INLINE Addresses addresses(Q x) { return __builtin_bit_cast(Addresses, x); }
INLINE Offsets offsets(U x) { return __builtin_bit_cast(Offsets, x); }

INLINE U v(const Wave &w, u32 r) { return *reinterpret_cast<const U *>(w.v[r]); }
INLINE u64 pairAt(const Wave &w, u32 r) { return w.s[r] | static_cast<u64>(w.s[r + 1]) << 32; }
INLINE u64 exec(const Wave &w) { return pairAt(w, execRegister); }
INLINE u64 definedPair(const Wave &w, u32 r) {
    return w.scalarDefined[r] | static_cast<u64>(w.scalarDefined[r + 1]) << 32;
}
INLINE u64 allLanes(u32 definedBits) { return definedBits == ~0u ? ~0ull : 0ull; }
INLINE u64 wholly(u32 definedBits) { return allLanes(definedBits); }
INLINE u64 wholly(u64 definedBits) { return definedBits == ~0ull ? ~0ull : 0ull; }

/// Writes the lanes `to` of a register; `known` says which of them are defined values.
INLINE void put(Wave &w, u32 r, U value, u64 to, u64 known) {
    U &reg = *reinterpret_cast<U *>(w.v[r]);
    reg = choose(to) ? value : reg;
    w.defined[r] = (w.defined[r] & ~to) | (known & to);
}
INLINE void putWide(Wave &w, u32 r, Q value, u64 to, u64 known) {
    put(w, r, narrow(value), to, known);
    put(w, r + 1, high(value), to, known);
}
INLINE void putWide(Wave &w, u32 r, Q value, u64 to, u64 knownLow, u64 knownTop) {
    put(w, r, narrow(value), to, knownLow);
    put(w, r + 1, high(value), to, knownTop);
}
INLINE void putTwo(Wave &w, u32 r, U low, U top, u64 to, u64 knownLow, u64 knownTop) {
    put(w, r, low, to, knownLow);
    put(w, r + 1, top, to, knownTop);
}
INLINE void putScalar(Wave &w, u32 r, u32 value, u32 known) {
    w.s[r] = value;
    w.scalarDefined[r] = known;
}
INLINE void putPair(Wave &w, u32 r, u64 value, u64 known) {
    putScalar(w, r, static_cast<u32>(value), static_cast<u32>(known));
    putScalar(w, r + 1, static_cast<u32>(value >> 32), static_cast<u32>(known >> 32));
}
/// A comparison's result: inactive lanes give 0.
INLINE void putMask(Wave &w, u32 r, u64 lanes, u64 known, u64 x) { putPair(w, r, lanes & x, known | ~x); }

} // namespace gfx942
