#pragma once

// AMD CDNA3 (MI300X). Reads of what other workgroups write in this launch carry sc1 (device scope): the L2 caches of
// the eight dies are not coherent for plain accesses.

#define DEV __attribute__((device, always_inline)) static inline
#define DEV_MEMBER __attribute__((device, always_inline)) inline
#define GLOBAL __attribute__((address_space(1)))
#define SHARED __attribute__((address_space(3)))
#define CONSTANT __attribute__((address_space(4)))
#define KERNEL_ENTRY                                                                                                   \
    extern "C" __attribute__((global, amdgpu_flat_work_group_size(256, 256), amdgpu_waves_per_eu(1, 2)))
#define KERNEL_MARK(name) asm volatile("mk_" name "_%=:" :::)

extern __attribute__((shared, aligned(16))) float monokernelShared[];

namespace monokernel::kernel {

constexpr u32 waveLanes = 64;
constexpr u32 workgroupThreads = 256;
constexpr u32 tileBlocks = 8;
constexpr bool conditionsApart = true;
constexpr u32 maxGroups = 2;
constexpr u32 batchChunks = 8;
constexpr u32 longBatchQuads = 8;
constexpr u32 maxAskedPieces = 12;
constexpr u32 quadGrowth = 4;
constexpr u32 inputAhead = 1;
constexpr bool spinsOnLast = true;

using Arguments = const CONSTANT Parameters;
using MatrixArguments = const CONSTANT PackedMatrix;

DEV Arguments *arguments(const Parameters &) { return (Arguments *)__builtin_amdgcn_kernarg_segment_ptr(); }
DEV MatrixArguments &matrixArguments(Arguments &p, u32 matrix) { return p.matrices[matrix]; }
/// Loads before and after are not shared: the scalar registers do not hold all arguments at once. Begins at the only
/// pointer there is, so that each caller's need not be kept for it.
DEV Arguments *refresh(Arguments *) {
    Arguments *pointer = (Arguments *)__builtin_amdgcn_kernarg_segment_ptr();
    asm volatile("" : "+s"(pointer));
    return pointer;
}
DEV MatrixArguments *refresh(MatrixArguments *pointer) {
    asm volatile("" : "+s"(pointer));
    return pointer;
}

DEV u32 uniform(u32 value) { return __builtin_amdgcn_readfirstlane(value); }
/// The same value, as one that the compiler knows nothing of: what is computed from it is computed here, not held in
/// registers from far above. For values that are the same in the whole wave.
DEV u32 opaque(u32 value) {
    value = uniform(value); // no instruction where the compiler knows
    asm volatile("" : "+s"(value));
    return value;
}
/// The same for values of which each lane has its own.
DEV u32 opaqueLane(u32 value) {
    asm volatile("" : "+v"(value));
    return value;
}
DEV u64 opaqueLane(u64 value) {
    asm volatile("" : "+v"(value));
    return value;
}

/// A number of the whole wave that is seldom looked at. It lies in a vector register: there are hundreds of those, and
/// too few scalar ones for all that outlives a phase.
class Parked {
public:
    DEV_MEMBER Parked() {}
    DEV_MEMBER explicit Parked(u32 value) : held(opaqueLane(value)) {}
    DEV_MEMBER void operator=(u32 value) { held = opaqueLane(value); }
    DEV_MEMBER operator u32() const { return uniform(held); }
    DEV_MEMBER void operator+=(u32 value) { held += value; }

private:
    u32 held;
};
DEV Parked opaque(const Parked &value) { return value; }

DEV SHARED float *shared(u32 floats) { return (SHARED float *)monokernelShared + floats; }

DEV u32 threadIndex() { return opaqueLane(__builtin_amdgcn_workitem_id_x()); }
DEV u32 laneIndex() { return __builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0)); }
/// The lane's index, which need not be kept.
DEV u32 laneAgain(u32) { return opaqueLane(laneIndex()); }
/// Tells the compiler that a value is the same in all lanes of the wave: it stays in a scalar register.
DEV u32 alike(u32 value) { return uniform(value); }
DEV u32 waveIndex() { return uniform(threadIndex() >> 6); }
DEV u32 workgroupIndex() { return __builtin_amdgcn_workgroup_id_x(); }
/// HW_REG_XCC_ID[3:0]
DEV u32 xccIndex() { return __builtin_amdgcn_s_getreg((3 << 11) | 20); }

DEV bool any(bool condition) { return __builtin_amdgcn_ballot_w64(condition) != 0; }
DEV u32 shuffleXor(u32 value, u32 mask) {
    return static_cast<u32>(
        __builtin_amdgcn_ds_bpermute(static_cast<i32>((laneIndex() ^ mask) << 2), static_cast<i32>(value)));
}
DEV i32 largestOfWave(i32 value) {
#pragma unroll
    for (u32 mask = 1; mask < waveLanes; mask <<= 1) {
        const i32 other = static_cast<i32>(shuffleXor(static_cast<u32>(value), mask));
        value = value > other ? value : other;
    }
    return value;
}
DEV void waveSync() {
    __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "wavefront");
    __builtin_amdgcn_wave_barrier();
}
DEV void rejoin() {}
DEV void barrier() {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
    __builtin_amdgcn_s_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
DEV void nap() { __builtin_amdgcn_s_sleep(1); }

/// Memory that is read once, by this thread alone.
DEV u32x4 streamLoad(GLOBAL const void *from) { return __builtin_nontemporal_load((GLOBAL const u32x4 *)from); }

DEV u64 pollWord(GLOBAL const u64 *from) { return __hip_atomic_load(from, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT); }
DEV u32 pollWord(GLOBAL const u32 *from) { return __hip_atomic_load(from, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT); }
DEV WordPair pollPair(GLOBAL const u64 *from) { return {pollWord(from), pollWord(from + 1)}; }
DEV void publishWord(GLOBAL u64 *to, u64 word) {
    __hip_atomic_store(to, word, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}

/// KV cache and inputs of a prefill step: written by one workgroup, read by others after a release and an acquire.
DEV u32x4 deviceLoad(GLOBAL const u32x4 *from) {
    const u64 low = pollWord((GLOBAL const u64 *)from), high = pollWord((GLOBAL const u64 *)from + 1);
    return u32x4{static_cast<u32>(low), static_cast<u32>(low >> 32), static_cast<u32>(high),
                 static_cast<u32>(high >> 32)};
}
DEV void deviceStore(GLOBAL u16 *to, u16 value) {
    __hip_atomic_store(to, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}
DEV void deviceStore(GLOBAL u32 *to, u32 value) {
    __hip_atomic_store(to, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}
DEV void deviceStore(GLOBAL u64 *to, u64 value) {
    __hip_atomic_store(to, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}
/// There is no prefetch instruction.
DEV void prefetch(GLOBAL const void *) {}
/// Loads after this see what was released before the words that loads before it saw: those loads have returned, and
/// later ones with sc1 go to the coherence point.
DEV void acquire() { asm volatile("" ::: "memory"); }
/// This thread's earlier device-scope stores are at the coherence point before any later one.
DEV void release() { asm volatile("s_waitcnt vmcnt(0)" ::: "memory"); }

DEV u32 takeTicket(GLOBAL u32 *counter) {
    return __hip_atomic_fetch_add(counter, 1u, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}
DEV void setIfZero(GLOBAL u64 *to, u64 word) {
    u64 expected = 0;
    __hip_atomic_compare_exchange_strong(to, &expected, word, __ATOMIC_RELAXED, __ATOMIC_RELAXED,
                                         __HIP_MEMORY_SCOPE_AGENT);
}
DEV void systemStore(GLOBAL u64 *to, u64 word) {
    __hip_atomic_store(to, word, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_SYSTEM);
}
DEV void systemStore(GLOBAL u32 *to, u32 word) {
    __hip_atomic_store(to, word, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_SYSTEM);
}
DEV void systemRelease() { asm volatile("s_waitcnt vmcnt(0)" ::: "memory"); }
DEV u32 systemLoad(GLOBAL const u32 *from) {
    return __hip_atomic_load(from, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_SYSTEM);
}
DEV u64 systemLoad(GLOBAL const u64 *from) {
    return __hip_atomic_load(from, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_SYSTEM);
}
DEV WordPair systemLoadPair(GLOBAL const u64 *from) { return {systemLoad(from), systemLoad(from + 1)}; }

DEV void addShared(SHARED u32 *to, u32 value) {
    __hip_atomic_fetch_add(to, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
}
DEV void addShared(SHARED u64 *to, u64 value) {
    __hip_atomic_fetch_add(to, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
}

DEV float inverseSquareRoot(float x) { return __builtin_amdgcn_rsqf(x); }
DEV float exponential2(float x) { return __builtin_amdgcn_exp2f(x); }
DEV float logarithm2(float x) { return __builtin_amdgcn_logf(x); }

/// Four of the bytes 0 to 3 of `first` and 4 to 7 of `second`, the lowest first.
template <u32 a, u32 b, u32 c, u32 d> DEV u32 bytesOf(u32 first, u32 second) {
    return __builtin_amdgcn_perm(second, first, a | b << 8 | c << 16 | d << 24);
}
/// The nearest bf16s, ties to even.
DEV u32 roundedPair(float first, float second) {
    const u32 a = __builtin_bit_cast(u32, first), b = __builtin_bit_cast(u32, second);
    return bytesOf<2, 3, 6, 7>(a + 0x7fffu + ((a >> 16) & 1), b + 0x7fffu + ((b >> 16) & 1));
}
DEV float addRounded(float a, float b) {
    asm("" : "+v"(a), "+v"(b));
    return a + b;
}

// v_mfma_f32_16x16x16_bf16: rows are weights, columns tokens. A lane's 16-byte piece holds 8 neighbouring elements of a
// row or of a token, four for each of two instructions: the order of the inner dimension is permuted alike in both.
constexpr u32 blockPieces = 1;
constexpr u32 tokenColumns = 16;
DEV u32 pieceRow(u32 lane) { return lane & 15; }
DEV u32 pieceChunk(u32 lane) { return lane >> 4; }
DEV u32 columnToken(u32 lane) { return lane & 15; }
constexpr bool partsApart = false; ///< both parts of the input enter one sum, one after the other
DEV u32 columnPart(u32) { return 0; }
DEV float columnSum(f32x4 sum, u32 index) { return sum[index]; }
/// Row of a block that a lane's sum `index` is of; blockRows or more where it is of none.
DEV u32 sumRow(u32 lane, u32 index, u32) { return 4 * (lane >> 4) + index; }
DEV u32 sumToken(u32 lane, u32) { return lane & 15; }

/// sum += block of weights * tokens, over one half (0 or 1) of each piece's elements. Whole-wave.
DEV void multiplyAdd(const u32x4 (&weights)[blockPieces], u32x4 tokens, u32 half, f32x4 &sum) {
    using Vector = short __attribute__((ext_vector_type(4)));
    using Sum = float __attribute__((ext_vector_type(4)));
    const u32 i = 2 * half;
    const u64 a = static_cast<u64>(weights[0][i + 1]) << 32 | weights[0][i];
    const u64 b = static_cast<u64>(tokens[i + 1]) << 32 | tokens[i];
    const Sum total = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(
        __builtin_bit_cast(Vector, a), __builtin_bit_cast(Vector, b), __builtin_bit_cast(Sum, sum), 0, 0, 0);
    sum = __builtin_bit_cast(f32x4, total);
}

/// Keeps a sum where the matrix cores add up, over the turns of a loop.
DEV void keepSum(f32x4 &sum) { asm("" : "+a"(sum)); }

// The tile in flight has registers of its own, which the compiler is told of where they are used and has no use for in
// between: it would copy a value in flight from one register to another where paths of the kernel meet, and wait for
// the loads there. isa_check.py holds it to that. DO(piece, its registers, the same one by one).
#define KERNEL_TILE(DO)                                                                                                \
    DO(0, "a[224:227]", "a224", "a225", "a226", "a227")                                                                \
    DO(1, "a[228:231]", "a228", "a229", "a230", "a231")                                                                \
    DO(2, "a[232:235]", "a232", "a233", "a234", "a235")                                                                \
    DO(3, "a[236:239]", "a236", "a237", "a238", "a239")                                                                \
    DO(4, "a[240:243]", "a240", "a241", "a242", "a243")                                                                \
    DO(5, "a[244:247]", "a244", "a245", "a246", "a247")                                                                \
    DO(6, "a[248:251]", "a248", "a249", "a250", "a251")                                                                \
    DO(7, "a[252:255]", "a252", "a253", "a254", "a255")

/// The pages that a tile lies in, of which there are three at most: a tile has up to two pages' bytes.
using TilePages = u32 __attribute__((ext_vector_type(3)));
static_assert(tileBlocks * 1024 <= 2 * pageBytes);

/// Addresses of this lane's pieces of a tile, block after block. Two pages can be met within half a tile: `page` and,
/// from byte pageBytes on, `next`.
struct PieceWalk {
    u64 page, next, last;
    u32 start; ///< byte of `page` at which the half begins
    u32 at;    ///< this lane's piece, from `page` on
    u32 blockBytes;

    DEV_MEMBER PieceWalk(u64 weights, TilePages pages, u32 first, u32 bytes)
        : page(weights + static_cast<u64>(pages.x) * pageBytes), next(weights + static_cast<u64>(pages.y) * pageBytes),
          last(weights + static_cast<u64>(pages.z) * pageBytes), start(first), blockBytes(bytes) {
        const u32 lane = laneIndex(), row = pieceRow(lane), rows = bytes / 64;
        at = first + (pieceChunk(lane) * rows + (row < rows ? row : rows - 1)) * 16;
    }
    DEV_MEMBER u64 take(u32 piece) {
        if (piece == tileBlocks / 2) {
            enterSecondHalf();
        }
        const u64 address = (at < pageBytes ? page : next) + (at & (pageBytes - 1));
        at = opaqueLane(at + blockBytes);
        return address;
    }

private:
    DEV_MEMBER void enterSecondHalf() {
        const bool passed = start + tileBlocks / 2 * blockBytes >= pageBytes;
        page = passed ? next : page;
        next = passed ? last : next;
        at -= passed ? pageBytes : 0;
    }
};

/// One tile ahead in registers: its loads are issued when the tile before it is taken, and stay in flight across the
/// wait for the next phase's input. Which pages a tile lies in is looked up another tile ahead, likewise.
struct TileStage {
    u64 weights;                      ///< as in Parameters
    u64 list;                         ///< the page numbers of the part being looked up
    u32 offset, blockBytes;           ///< in the part, of the tile to look up next, and of its blocks
    u32 foundOffset, foundBlockBytes; ///< likewise of the tile looked up, which is the next to ask for

    DEV_MEMBER void begin(Arguments &p) { weights = opaqueLane(p.weights); }
    DEV_MEMBER u32 depth(Arguments &) const { return 1; }
    /// The next tile to look up is the first of wave `wave` in a part of a matrix, and its others follow it.
    DEV_MEMBER void enter(Arguments &p, MatrixArguments &m, u32 layer, u32 part, u32 wave) {
        list = opaqueLane(m.pages + static_cast<u64>((layer * p.lanes * p.members + part) * m.partPages) * 4);
        offset = opaqueLane(wave * tileBlocks * 64 * m.blockRows);
        blockBytes = opaqueLane(m.blockRows * 64);
    }
    DEV_MEMBER bool lookUp() {
        const u64 entry = list + offset / pageBytes * 4;
        asm volatile("global_load_dwordx3 a[220:222], %0, off" ::"v"(entry) : "a220", "a221", "a222");
        foundOffset = opaqueLane(offset & (pageBytes - 1));
        foundBlockBytes = opaqueLane(blockBytes);
        offset = opaqueLane(offset + workgroupThreads / waveLanes * tileBlocks * blockBytes);
        return true;
    }
    DEV_MEMBER void fill(u32) {
        TilePages pages;
        asm volatile("s_waitcnt vmcnt(0)" : "={a[220:222]}"(pages));
        PieceWalk walk(weights, pages, foundOffset, foundBlockBytes);
        lookUp();
#define FILL(piece, registers, a, b, c, d)                                                                             \
    asm volatile("global_load_dwordx4 " registers ", %0, off nt" ::"v"(walk.take(piece)) : a, b, c, d);
        KERNEL_TILE(FILL)
#undef FILL
    }
    /// This lane's pieces of the tile in flight; the next one, looked up before it was asked for, is asked for in its
    /// place, and the one after that is looked up. A piece is there when no more than the seven after its own and the
    /// look-up are under way.
    DEV_MEMBER void load(MatrixArguments &, u32x4 (&blocks)[tileBlocks][blockPieces]) {
        static_assert(tileBlocks == 8);
        TilePages pages;
        asm volatile("s_waitcnt vmcnt(8)" : "={a[220:222]}"(pages));
        PieceWalk walk(weights, pages, foundOffset, foundBlockBytes);
        lookUp();
#define EXCHANGE(piece, registers, a, b, c, d)                                                                         \
    asm volatile("s_waitcnt vmcnt(8)" : "={" registers "}"(blocks[piece][0]));                                         \
    asm volatile("global_load_dwordx4 " registers ", %0, off nt" ::"v"(walk.take(piece)) : a, b, c, d);
        KERNEL_TILE(EXCHANGE)
#undef EXCHANGE
    }
    DEV_MEMBER static u32 fetchTiles(MatrixArguments &) { return 1; }
    DEV_MEMBER void await() {}
    DEV_MEMBER void refill() {}
    DEV_MEMBER void end(Arguments &) {}
};

} // namespace monokernel::kernel
