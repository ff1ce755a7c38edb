#pragma once

// The device layer: everything that differs between targets, and nothing else. Each target's header defines
//   waveLanes, workgroupThreads, tileBlocks, maxGroups
//   what is asked for at once, as far as registers go: batchChunks (of the KV cache, merged), maxAskedPieces (of a key,
//   and about as many of values), longBatchQuads (times four elements of a vector that is staged as it is; quadGrowth:
//   see withQuads), inputAhead (steps of a prefill step's input)
//   conditionsApart: see either(); spinsOnLast: whether who waits for several words looks at the last alone, to spare
//   memory, until it is there
//   who am I: threadIndex, laneIndex, waveIndex, workgroupIndex, xccIndex
//   waves: uniform, alike, any, shuffleXor, largestOfWave, waveSync, rejoin; workgroups: barrier; waiting: nap
//   memory: shared, streamLoad (the GPU bench reads by it), deviceLoad, deviceStore, pollWord, pollPair, publishWord,
//   tickets, release; system loads and stores, which other devices and the host see
//   KERNEL_ENTRY, arguments, matrixArguments, refresh: the kernel's one argument
//   matrix cores: blockPieces, pieceChunk, tokenColumns, columnToken, partsApart, columnPart, multiplyAdd, sumRow,
//     sumToken, columnSum
//   numbers: addRounded (a sum that is not fused with what made its operands), bytesOf, roundedPair (to bf16)
//   Parked: a number of the whole wave that outlives a phase; laneAgain, keepSum: hints to the register allocator
//   opaque: a value that the compiler knows nothing of
//   TileStage: weight tiles on their way from memory to a wave
// Functions marked whole-wave must be called by every lane of a wave.

#include "parameters.h"

namespace monokernel::kernel {

using u16 = unsigned short;
using i32 = int;
using u32x4 = u32 __attribute__((vector_size(16)));
using u32x2 = u32 __attribute__((vector_size(8)));
using f32x2 = float __attribute__((vector_size(8)));
using f32x4 = float __attribute__((vector_size(16)));

/// Two neighbouring words of what is handed over (words.h).
struct WordPair {
    u64 first, second;
};

} // namespace monokernel::kernel

#if defined(__AMDGCN__)
#include "device_gfx942.h"
#elif defined(__NVPTX__)
#include "device_nvidia.h"
#if __CUDA_ARCH__ >= 900
#include "tile_stage_sm90.h"
#else
#include "tile_stage_sm80.h"
#endif
#else
#include "device_host.h"
#endif

/// For lambdas: every function of the kernel is part of its one entry point.
#define INLINED __attribute__((always_inline))

namespace monokernel::kernel {

constexpr u32 pieceBytes = 16; ///< of 8 bf16 elements
constexpr u32 workgroupWaves = workgroupThreads / waveLanes;
constexpr u32 tokenTiles = maxPrefillTokens / tokenColumns; ///< matrix instructions side by side for a prefill step

template <class T> DEV GLOBAL T *global(u64 address) { return (GLOBAL T *)address; }

DEV float asFloat(u32 bits) { return __builtin_bit_cast(float, bits); }
DEV u32 asBits(float value) { return __builtin_bit_cast(u32, value); }
DEV float bf16Low(u32 pair) { return asFloat(pair << 16); }
DEV float bf16High(u32 pair) { return asFloat(pair & 0xffff0000u); }
/// The upper halves of two words, the first's below.
DEV u32 upperHalves(u32 first, u32 second) { return bytesOf<2, 3, 6, 7>(first, second); }
/// Two neighbouring values as two bf16 parts each, together good to 2^-17: the leading parts, and what they leave.
struct SplitPair {
    u32 leading, remainder;
};
DEV SplitPair splitPair(float first, float second) {
    const u32 a = asBits(first), b = asBits(second);
    return {upperHalves(a, b),
            roundedPair(addRounded(first, -asFloat(a & 0xffff0000u)), addRounded(second, -asFloat(b & 0xffff0000u)))};
}

/// value / d, given divisorOf(d) (parameters.h) and value * d < 2^32.
DEV u32 quotient(u32 value, u32 divisor) {
    return divisor == 0 ? value : static_cast<u32>(static_cast<u64>(value) * divisor >> 32);
}

/// first() if `condition` holds, else second(); it is the same in the whole workgroup. Where waves run branches by
/// masks, the compiler lays the two one behind the other if lanes may part in them, and keeps what one changes twice;
/// there they are two conditions, of which it knows no connection.
template <class First, class Second> DEV void either(bool condition, First first, Second second) {
    if constexpr (conditionsApart) {
        const Parked chosen(condition ? 1 : 0);
        if (chosen != 0) {
            first();
        }
        if (chosen == 0) {
            second();
        }
    } else if (condition) {
        first();
    } else {
        second();
    }
}

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
/// Largest value of the wave. As integers in the same order, which some hardware compares at once. Whole-wave.
DEV float waveMax(float value) {
    const auto flipped = [](i32 bits) INLINED { return bits ^ (bits >> 31 & 0x7fffffff); };
    return asFloat(static_cast<u32>(flipped(largestOfWave(flipped(static_cast<i32>(asBits(value)))))));
}

} // namespace monokernel::kernel
