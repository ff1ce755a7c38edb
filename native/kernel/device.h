#pragma once

// The device layer: everything that differs between targets, and nothing else. Each target's header defines
//   waveLanes, workgroupThreads, tileBlocks, maxGroups
//   who am I: threadIndex, laneIndex, waveIndex, workgroupIndex, xccIndex
//   waves: uniform, any, shuffleXor, waveSync; workgroups: barrier; waiting: nap
//   memory: shared, streamLoad, cacheLoad, cacheStore, pollWord, pollPair, publishWord, tickets, system stores, release
//   KERNEL_ENTRY, arguments, matrixArguments, refresh: the kernel's one argument
//   matrix cores: blockPieces, pieceRow, pieceChunk, tokenColumns, columnToken, multiplyAdd, sumRow, sumToken
//   addRounded: a sum that is not fused with what made its operands
//   TileStage: weight tiles on their way from memory to a wave
// Functions marked whole-wave must be called by every lane of a wave.

#include "parameters.h"

namespace monokernel::kernel {

using u16 = unsigned short;
using i32 = int;
using u32x4 = u32 __attribute__((vector_size(16)));
using f32x4 = float __attribute__((vector_size(16)));

/// Two neighbouring tagged words.
struct WordPair {
    u64 first, second;
};

} // namespace monokernel::kernel

#if defined(__AMDGCN__)
#include "device_gfx942.h"
#elif defined(__NVPTX__)
#include "device_sm90.h"
#else
#include "device_host.h"
#endif

/// For lambdas: every function of the kernel is part of its one entry point.
#define INLINED __attribute__((always_inline))

namespace monokernel::kernel {

constexpr u32 workgroupWaves = workgroupThreads / waveLanes;
constexpr u32 tokenTiles = maxPrefillTokens / tokenColumns; ///< matrix instructions side by side for a prefill step

template <class T> DEV GLOBAL T *global(u64 address) { return (GLOBAL T *)address; }

DEV float asFloat(u32 bits) { return __builtin_bit_cast(float, bits); }
DEV u32 asBits(float value) { return __builtin_bit_cast(u32, value); }
DEV float bf16Low(u32 pair) { return asFloat(pair << 16); }
DEV float bf16High(u32 pair) { return asFloat(pair & 0xffff0000u); }
/// The nearest bf16's bits, ties to even.
DEV u32 roundedBf16(float value) {
    const u32 bits = asBits(value);
    return (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
}
/// A value as two bf16 parts, together good to 2^-17: the leading one in the low half, what it leaves in the high half.
DEV u32 splitValue(float value) {
    const u32 leading = asBits(value) & 0xffff0000u;
    return leading >> 16 | roundedBf16(addRounded(value, -asFloat(leading))) << 16;
}
DEV float joinedValue(u32 parts) { return bf16Low(parts) + bf16High(parts); }
/// The leading parts of two neighbours, and what they leave.
DEV u32 leadingPair(u32 first, u32 second) { return (first & 0xffffu) | second << 16; }
DEV u32 remainderPair(u32 first, u32 second) { return first >> 16 | (second & 0xffff0000u); }

DEV u32 minimum(u32 a, u32 b) { return a < b ? a : b; }
DEV float larger(float a, float b) { return a > b ? a : b; }

DEV float shuffleXor(float value, u32 mask) { return asFloat(shuffleXor(asBits(value), mask)); }

/// Sum over groups of 2^log2 neighbouring lanes, in every lane of the group. Whole-wave.
DEV float groupSum(float value, u32 log2) {
    for (u32 bit = 0; bit < log2; bit++) {
        value += shuffleXor(value, 1u << bit);
    }
    return value;
}
DEV float waveSum(float value) {
#pragma unroll
    for (u32 mask = 1; mask < waveLanes; mask <<= 1) {
        value += shuffleXor(value, mask);
    }
    return value;
}
DEV float waveMax(float value) {
#pragma unroll
    for (u32 mask = 1; mask < waveLanes; mask <<= 1) {
        value = larger(value, shuffleXor(value, mask));
    }
    return value;
}

} // namespace monokernel::kernel
