#pragma once

// NVIDIA devices from Ampere on (compute capability 8.0). One coherent L2 for the device: relaxed device-scope accesses
// meet there, past the L1s. What brings weights in is of the generation: tile_stage_sm90.h, tile_stage_sm80.h.

#define DEV __attribute__((device, always_inline)) static inline
#define DEV_MEMBER __attribute__((device, always_inline)) inline
#define GLOBAL __attribute__((address_space(1)))
#define SHARED __attribute__((address_space(3)))
#define KERNEL_ENTRY extern "C" __attribute__((global, launch_bounds(256, 1)))
#define KERNEL_MARK(name) asm volatile("// mk_" name :::)

extern __attribute__((shared, aligned(16))) float monokernelShared[];

namespace monokernel::kernel {

constexpr u32 waveLanes = 32;
constexpr u32 workgroupThreads = 256;
constexpr u32 tileBlocks = 3;
constexpr bool conditionsApart = false;
constexpr u32 maxGroups = 2;
constexpr u32 batchChunks = 4;
constexpr u32 longBatchQuads = 12;
constexpr u32 maxAskedPieces = 16;
constexpr u32 quadGrowth = 2;
constexpr u32 inputAhead = 3; // measured: docs/performance.md
constexpr bool spinsOnLast = false;

using Arguments = const Parameters;
using MatrixArguments = const PackedMatrix;

DEV Arguments *arguments(Arguments &parameters) { return &parameters; }
DEV Arguments *refresh(Arguments *pointer) { return pointer; }
DEV MatrixArguments *refresh(MatrixArguments *pointer) { return pointer; }
/// One of the matrices, chosen at run time: read from the constant bank by its address there, as indexing the parameter
/// would make the compiler copy all of it to local memory. The assembler knows such values to be the same in the wave.
DEV PackedMatrix matrixArguments(Arguments &, u32 matrix) {
    static_assert(__builtin_offsetof(Parameters, matrices) == 0 && sizeof(PackedMatrix) % 8 == 0);
    struct Words {
        u64 of[sizeof(PackedMatrix) / 8];
    } words;
    u64 address;
    asm("mov.b64 %0, monokernel_param_0;" : "=l"(address));
    address += matrix * sizeof(PackedMatrix);
#pragma unroll
    for (u32 i = 0; i < sizeof(PackedMatrix) / 8; i++) {
        asm("ld.param.u64 %0,[%1];" : "=l"(words.of[i]) : "l"(address + 8 * i));
    }
    return __builtin_bit_cast(PackedMatrix, words);
}

/// The same value, as one that the compiler knows nothing of: what is computed from it is computed here, not held in
/// registers from far above.
DEV u32 opaque(u32 value) {
    asm volatile("" : "+r"(value));
    return value;
}
DEV u32 opaqueLane(u32 value) { return opaque(value); }
/// A number of the whole wave that is seldom looked at.
using Parked = u32;

DEV SHARED float *shared(u32 floats) { return (SHARED float *)monokernelShared + floats; }

DEV u32 threadIndex() { return __nvvm_read_ptx_sreg_tid_x(); }
DEV u32 laneIndex() { return __nvvm_read_ptx_sreg_laneid(); }
/// By a shuffle: a reduction under a condition was compiled wrongly (ptxas 13.0, the value of another turn).
DEV u32 uniform(u32 value) { return __nvvm_shfl_sync_idx_i32(~0u, value, 0, 31); }
/// The lane's index, hidden likewise.
DEV u32 laneAgain(u32 lane) { return opaqueLane(lane); }
/// There are no scalar registers to gain.
DEV u32 alike(u32 value) { return value; }
DEV u32 waveIndex() { return uniform(threadIndex() >> 5); }
DEV u32 workgroupIndex() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEV u32 xccIndex() { return 0; }

DEV bool any(bool condition) { return __nvvm_vote_any_sync(~0u, condition); }
DEV u32 shuffleXor(u32 value, u32 mask) { return __nvvm_shfl_sync_bfly_i32(~0u, value, mask, 31); }
DEV i32 largestOfWave(i32 value) { return __nvvm_redux_sync_max(value, ~0u); }
DEV void waveSync() { __nvvm_bar_warp_sync(~0u); }
/// After flow that lanes took apart: tells the assembler that they are together again. Where it does not know it, it
/// guards all that follows with convergence barriers, which cost instructions and local memory.
DEV void rejoin() { __nvvm_bar_warp_sync(~0u); }
DEV void barrier() { __syncthreads(); }
/// A poll takes long enough by itself.
DEV void nap() { asm volatile("nanosleep.u32 20;"); }

/// Memory that is read once, by this thread alone.
DEV u32x4 streamLoad(GLOBAL const void *from) {
    u32 a, b, c, d;
    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3},[%4];"
                 : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                 : "l"(from));
    return u32x4{a, b, c, d};
}

DEV u64 pollWord(GLOBAL const u64 *from) {
    u64 word;
    asm volatile("ld.relaxed.gpu.global.u64 %0,[%1];" : "=l"(word) : "l"(from) : "memory");
    return word;
}
DEV u32 pollWord(GLOBAL const u32 *from) {
    u32 word;
    asm volatile("ld.relaxed.gpu.global.u32 %0,[%1];" : "=r"(word) : "l"(from) : "memory");
    return word;
}
DEV WordPair pollPair(GLOBAL const u64 *from) {
    WordPair pair;
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0,%1},[%2];"
                 : "=l"(pair.first), "=l"(pair.second)
                 : "l"(from)
                 : "memory");
    return pair;
}
DEV void publishWord(GLOBAL u64 *to, u64 word) {
    asm volatile("st.relaxed.gpu.global.u64 [%0],%1;" ::"l"(to), "l"(word) : "memory");
}

/// KV cache and inputs of a prefill step: written by one workgroup, read by others after a release and an acquire.
DEV u32x4 deviceLoad(GLOBAL const u32x4 *from) {
    u32 a, b, c, d;
    asm volatile("ld.relaxed.gpu.global.v4.u32 {%0,%1,%2,%3},[%4];" : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : "l"(from));
    return u32x4{a, b, c, d};
}
DEV void deviceStore(GLOBAL u16 *to, u16 value) {
    asm volatile("st.relaxed.gpu.global.u16 [%0],%1;" ::"l"(to), "h"(value) : "memory");
}
DEV void deviceStore(GLOBAL u32 *to, u32 value) {
    asm volatile("st.relaxed.gpu.global.u32 [%0],%1;" ::"l"(to), "r"(value) : "memory");
}
DEV void deviceStore(GLOBAL u64 *to, u64 value) {
    asm volatile("st.relaxed.gpu.global.u64 [%0],%1;" ::"l"(to), "l"(value) : "memory");
}
/// Brings a 128-byte line into the L2.
DEV void prefetch(GLOBAL const void *line) { asm volatile("prefetch.global.L2 [%0];" ::"l"(line)); }
/// Loads after this see what was released before the words that loads before it saw.
DEV void acquire() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }
/// This thread's earlier device-scope stores are visible before any later one.
DEV void release() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

DEV u32 takeTicket(GLOBAL u32 *counter) {
    u32 before;
    asm volatile("atom.relaxed.gpu.global.add.u32 %0,[%1],1;" : "=r"(before) : "l"(counter) : "memory");
    return before;
}
DEV void setIfZero(GLOBAL u64 *to, u64 word) {
    u64 before;
    asm volatile("atom.relaxed.gpu.global.cas.b64 %0,[%1],0,%2;" : "=l"(before) : "l"(to), "l"(word) : "memory");
}
DEV void systemStore(GLOBAL u64 *to, u64 word) {
    asm volatile("st.relaxed.sys.global.u64 [%0],%1;" ::"l"(to), "l"(word) : "memory");
}
DEV void systemStore(GLOBAL u32 *to, u32 word) {
    asm volatile("st.relaxed.sys.global.u32 [%0],%1;" ::"l"(to), "r"(word) : "memory");
}
DEV void systemRelease() { asm volatile("fence.acq_rel.sys;" ::: "memory"); }
DEV u32 systemLoad(GLOBAL const u32 *from) {
    u32 word;
    asm volatile("ld.relaxed.sys.global.u32 %0,[%1];" : "=r"(word) : "l"(from) : "memory");
    return word;
}
DEV u64 systemLoad(GLOBAL const u64 *from) {
    u64 word;
    asm volatile("ld.relaxed.sys.global.u64 %0,[%1];" : "=l"(word) : "l"(from) : "memory");
    return word;
}
DEV WordPair systemLoadPair(GLOBAL const u64 *from) {
    WordPair pair;
    asm volatile("ld.relaxed.sys.global.v2.u64 {%0,%1},[%2];"
                 : "=l"(pair.first), "=l"(pair.second)
                 : "l"(from)
                 : "memory");
    return pair;
}

DEV u32 sharedAddress(SHARED const void *at) { return static_cast<u32>((u64)at); }
DEV void addShared(SHARED u32 *to, u32 value) {
    asm volatile("red.relaxed.cta.shared.add.u32 [%0],%1;" ::"r"(sharedAddress(to)), "r"(value) : "memory");
}
DEV void addShared(SHARED u64 *to, u64 value) {
    asm volatile("red.relaxed.cta.shared.add.u64 [%0],%1;" ::"r"(sharedAddress(to)), "l"(value) : "memory");
}

// Without subnormal numbers, which cost four instructions each and never make a difference.
DEV float inverseSquareRoot(float x) { return __nvvm_rsqrt_approx_ftz_f(x); }
DEV float exponential2(float x) { return __nvvm_ex2_approx_ftz_f(x); }
DEV float logarithm2(float x) { return __nvvm_lg2_approx_ftz_f(x); }

/// Four of the bytes 0 to 3 of `first` and 4 to 7 of `second`, the lowest first.
template <u32 a, u32 b, u32 c, u32 d> DEV u32 bytesOf(u32 first, u32 second) {
    return __nvvm_prmt(first, second, a | b << 4 | c << 8 | d << 12);
}
/// The nearest bf16s, ties to even.
DEV u32 roundedPair(float first, float second) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0,%1,%2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}
DEV float addRounded(float a, float b) {
    float sum;
    asm("add.rn.f32 %0,%1,%2;" : "=f"(sum) : "f"(a), "f"(b));
    return sum;
}

// mma.m16n8k16: rows are weights, columns tokens. A lane's two 16-byte pieces of a block are the instruction's operands
// as they are: of two rows, half a block apart, four elements each; and its piece of the input is its token's 8
// elements. The instruction's order of the inner dimension is permuted alike in both.
constexpr u32 blockPieces = 2;
constexpr u32 tokenColumns = 8;
DEV u32 pieceChunk(u32 lane) { return lane & 3; }
DEV u32 columnToken(u32 lane) { return lane >> 2; }
/// In a decode step neighbouring columns have the two parts of the input, which takes half as many instructions; so
/// each part has sums of its own, also in a prefill step, whose tokens shall get the same bits.
constexpr bool partsApart = true;
DEV u32 columnPart(u32 lane) { return columnToken(lane) & 1; }
/// Row of a block that a lane's sum `index` is of; blockRows or more where it is of none.
DEV u32 sumRow(u32 lane, u32 index, u32 blockRows) {
    const u32 half = blockRows >> 1, row = lane >> 2;
    return row < half ? row + (index >> 1) * half : blockRows;
}
DEV u32 sumToken(u32 lane, u32 index) { return 2 * (lane & 3) + (index & 1); }

/// What a decode step adds up to, from a sum of a lane's that has token 0: both parts.
DEV float columnSum(f32x4 sum, u32 index) { return sum[index] + sum[index | 1]; }

/// sum += block of weights * tokens, over one half (0 or 1) of each piece's elements. Whole-wave.
DEV void multiplyAdd(const u32x4 (&weights)[blockPieces], u32x4 tokens, u32 half, f32x4 &sum) {
    float a = sum[0], b = sum[1], c = sum[2], d = sum[3];
    const u32 i = 2 * half;
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(a), "+f"(b), "+f"(c), "+f"(d)
        : "r"(weights[half][0]), "r"(weights[half][1]), "r"(weights[half][2]), "r"(weights[half][3]), "r"(tokens[i]),
          "r"(tokens[i + 1]));
    sum = f32x4{a, b, c, d};
}

/// There is one kind of registers.
DEV void keepSum(f32x4 &) {}

} // namespace monokernel::kernel
