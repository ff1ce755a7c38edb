#pragma once

// NVIDIA Hopper (H100, H200). One coherent L2 for the device: relaxed device-scope accesses meet there, past the L1s.

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

/// KV cache: written by one workgroup, read by others in later steps.
DEV u32x4 cacheLoad(GLOBAL const u32x4 *from) {
    u32 a, b, c, d;
    asm volatile("ld.relaxed.gpu.global.v4.u32 {%0,%1,%2,%3},[%4];" : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : "l"(from));
    return u32x4{a, b, c, d};
}
DEV void cacheStore(GLOBAL u16 *to, u16 value) {
    asm volatile("st.relaxed.gpu.global.u16 [%0],%1;" ::"l"(to), "h"(value) : "memory");
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

/// The upper halves of two words, the first's below.
DEV u32 upperHalves(u32 first, u32 second) { return __nvvm_prmt(first, second, 0x7632); }
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

/// A ring of fetches in shared memory for each wave, filled by the bulk copy engine: the weights of the next phases
/// stream in while the wave waits for its input. Each slot has an mbarrier that completes when its tiles are there.
struct TileStage {
    u32 ring, barriers;     ///< this wave's part, shared-memory byte addresses
    u32 slots, slot, phase; ///< the slot to take from next, and the mbarrier phase it is in
    u32 at;                 ///< the tile to load next
    u32 read;               ///< all that was read of the slot, or-ed
    u32 fetchBytes;         ///< of what to ask for next
    u64 from;               ///< its address
    u64 policy;             ///< weights leave the L2 first: what is handed over and the KV cache shall stay
    static constexpr u32 waves = workgroupThreads / waveLanes, slotBytes = tileBlocks * 1024;

    DEV_MEMBER u32 depth(Arguments &p) const { return p.ringSlots; }
    DEV_MEMBER void begin(Arguments &p) {
        slots = p.ringSlots;
        const u32 base = sharedAddress(shared(p.ringOffset));
        ring = base + waveIndex() * slots * slotBytes;
        barriers = base + waves * slots * slotBytes + waveIndex() * slots * 8;
        slot = phase = read = 0;
        asm volatile("createpolicy.fractional.L2::evict_first.b64 %0,1.0;" : "=l"(policy));
        if (laneIndex() == 0) {
            for (u32 i = 0; i < slots; i++) {
                asm volatile("mbarrier.init.shared::cta.b64 [%0],1;" ::"r"(barriers + i * 8) : "memory");
            }
            asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        }
        waveSync();
    }
    DEV_MEMBER static u32 tileBytes(MatrixArguments &m) { return tileBlocks * 64 * m.blockRows; }
    DEV_MEMBER static u32 fetchTiles(MatrixArguments &m) { return m.fetchTiles; }
    /// What to ask for next is the first fetch of wave `wave` in a part of a matrix, and its others follow it.
    DEV_MEMBER void enter(Arguments &, MatrixArguments &m, u32 layer, u32 part, u32 wave) {
        fetchBytes = m.fetchTiles * tileBytes(m);
        from = m.tiles + layer * m.layerBytes + (static_cast<u64>(part) * m.waveFetches * waves + wave) * fetchBytes;
    }
    /// Where tiles lie need not be looked up.
    DEV_MEMBER bool lookUp() { return false; }
    /// Asks for the next fetch, into slot `to`: by one lane, without a branch.
    DEV_MEMBER void fill(u32 to) {
        // The copy engine does not of itself wait for the wave's reads of the slot. Measured: it overtook them where
        // the kernel was short of registers, in 16 % of prompts. A fence would wait for more than those (1 % of
        // decode). So the copy depends on what was read, by bits of the number of slots that are never set.
        const u32 bytes = fetchBytes + (read & (slots >> 16));
        read = 0;
        waveSync();
        asm volatile("{\n\t.reg .pred first;\n\tsetp.eq.u32 first,%5,0;\n\t"
                     "@first mbarrier.arrive.expect_tx.shared::cta.b64 _,[%3],%2;\n\t"
                     "@first cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
                     "[%0],[%1],%2,[%3],%4;\n\t}" ::"r"(ring + to * slotBytes),
                     "l"(from), "r"(bytes), "r"(barriers + to * 8), "l"(policy), "r"(laneIndex())
                     : "memory");
        from += waves * fetchBytes;
    }
    /// Waits for the oldest fetch.
    DEV_MEMBER void await() {
        asm volatile(
            "{\n\t.reg .pred arrived;\n"
            "again_%=:\n\tmbarrier.try_wait.parity.shared::cta.b64 arrived,[%0],%1;\n\t@!arrived bra again_%=;\n\t}" ::
                "r"(barriers + slot * 8),
            "r"(phase)
            : "memory");
        at = ring + slot * slotBytes;
    }
    /// This lane's pieces of its next tile.
    DEV_MEMBER void load(MatrixArguments &m, u32x4 (&blocks)[tileBlocks][blockPieces]) {
        const u32 half = m.blockRows >> 1, row = laneIndex() >> 2;
        const u32 first = at + ((row < half ? row : half - 1) * 4 + pieceChunk(laneIndex())) * 16;
#pragma unroll
        for (u32 piece = 0; piece < blockPieces; piece++) {
#pragma unroll
            for (u32 i = 0; i < tileBlocks; i++) {
                u32 a, b, c, d;
                asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3},[%4];"
                             : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                             : "r"(first + (2 * i + piece) * half * 64)
                             : "memory");
                blocks[i][piece] = u32x4{a, b, c, d};
                read |= a;
            }
        }
        at += tileBytes(m);
    }
    /// All of the oldest fetch has been loaded, and best also multiplied: asks for another in its place.
    DEV_MEMBER void refill() {
        fill(slot);
        advance();
    }
    DEV_MEMBER void advance() {
        slot++;
        if (slot == slots) {
            slot = 0;
            phase ^= 1;
        }
    }
    /// Copies in flight must land before the workgroup leaves.
    DEV_MEMBER void end(Arguments &) {
        for (u32 i = 0; i < slots; i++) {
            await();
            advance();
        }
    }
};

} // namespace monokernel::kernel
