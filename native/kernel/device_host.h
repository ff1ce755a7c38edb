#pragma once

// A CPU in the device's place, for tests: one fiber (x86-64) for each hardware lane of 64-lane waves, waves in random
// order. Every whole-wave operation is a rendezvous, so a lane that does not take part stops the test.

#include "host_fibers.h"

#define DEV static inline
#define DEV_MEMBER inline
#define GLOBAL
#define SHARED
#define KERNEL_ENTRY
#define KERNEL_MARK(name)

namespace monokernel::kernel {

constexpr u32 waveLanes = host::waveLanes;
constexpr u32 workgroupThreads = 256;
constexpr u32 tileBlocks = 8;
constexpr bool conditionsApart = false;
constexpr u32 maxGroups = 2;
constexpr u32 batchChunks = 8;
constexpr u32 longBatchQuads = 12;
constexpr u32 maxAskedPieces = 16;
constexpr u32 quadGrowth = 2;
constexpr u32 inputAhead = 2;
constexpr bool spinsOnLast = true;

using Arguments = const Parameters;
using MatrixArguments = const PackedMatrix;

DEV Arguments *arguments(Arguments &parameters) { return &parameters; }
DEV Arguments *refresh(Arguments *pointer) { return pointer; }
DEV MatrixArguments *refresh(MatrixArguments *pointer) { return pointer; }
DEV MatrixArguments &matrixArguments(Arguments &p, u32 matrix) { return p.matrices[matrix]; }

/// The same value, as one that the compiler knows nothing of: what is computed from it is computed here, not held in
/// registers from far above.
DEV u32 opaque(u32 value) { return value; }
DEV u32 opaqueLane(u32 value) { return value; }
using Parked = u32;
DEV u32 laneAgain(u32 lane) { return lane; }
DEV void keepSum(f32x4 &) {}

DEV float *shared(u32 floats) { return host::current().workgroup->shared.data() + floats; }

DEV u32 threadIndex() { return host::current().thread; }
DEV u32 laneIndex() { return threadIndex() % waveLanes; }
DEV u32 waveIndex() { return threadIndex() / waveLanes; }
DEV u32 workgroupIndex() { return host::current().workgroup->index; }
DEV u32 xccIndex() { return 0; }

DEV u32 uniform(u32 value) { return static_cast<u32>(host::exchange(value)[0]); }
DEV u32 alike(u32 value) { return value; }
DEV bool any(bool condition) {
    const u64 *all = host::exchange(condition ? 1 : 0);
    u64 found = 0;
    for (u32 i = 0; i < waveLanes; i++) {
        found |= all[i];
    }
    return found != 0;
}
DEV u32 shuffleXor(u32 value, u32 mask) { return static_cast<u32>(host::exchange(value)[laneIndex() ^ mask]); }
DEV i32 largestOfWave(i32 value) {
    for (u32 mask = 1; mask < waveLanes; mask <<= 1) {
        const i32 other = static_cast<i32>(shuffleXor(static_cast<u32>(value), mask));
        value = value > other ? value : other;
    }
    return value;
}
DEV void waveSync() { host::exchange(0); }
DEV void rejoin() {}
DEV void barrier() { host::workgroupBarrier(); }
DEV void nap() { host::yield(); }

DEV u32x4 streamLoad(const void *from) {
    u32x4 value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}
DEV u64 pollWord(const u64 *from) { return __atomic_load_n(from, __ATOMIC_RELAXED); }
DEV u32 pollWord(const u32 *from) { return __atomic_load_n(from, __ATOMIC_RELAXED); }
DEV WordPair pollPair(const u64 *from) { return {pollWord(from), pollWord(from + 1)}; }
DEV void publishWord(u64 *to, u64 word) { __atomic_store_n(to, word, __ATOMIC_RELAXED); }
DEV u32x4 deviceLoad(const u32x4 *from) { return streamLoad(from); }
DEV void deviceStore(u16 *to, u16 value) { *to = value; }
DEV void deviceStore(u32 *to, u32 value) { *to = value; }
DEV void deviceStore(u64 *to, u64 value) { *to = value; }
DEV void prefetch(const void *) {}
DEV void acquire() {}
DEV void release() {}
DEV u32 takeTicket(u32 *counter) { return __atomic_fetch_add(counter, 1u, __ATOMIC_RELAXED); }
DEV void setIfZero(u64 *to, u64 word) {
    u64 expected = 0;
    __atomic_compare_exchange_n(to, &expected, word, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
DEV void systemStore(u64 *to, u64 word) { __atomic_store_n(to, word, __ATOMIC_RELEASE); }
DEV void systemStore(u32 *to, u32 word) { __atomic_store_n(to, word, __ATOMIC_RELEASE); }
DEV void systemRelease() {}
DEV u32 systemLoad(const u32 *from) { return __atomic_load_n(from, __ATOMIC_RELAXED); }
DEV u64 systemLoad(const u64 *from) { return __atomic_load_n(from, __ATOMIC_RELAXED); }
DEV WordPair systemLoadPair(const u64 *from) { return {systemLoad(from), systemLoad(from + 1)}; }
DEV void addShared(u32 *to, u32 value) { *to += value; }
DEV void addShared(u64 *to, u64 value) { *to += value; }

DEV float inverseSquareRoot(float x) { return 1.0f / __builtin_sqrtf(x); }
DEV float exponential2(float x) { return __builtin_exp2f(x); }
DEV float logarithm2(float x) { return __builtin_log2f(x); }

/// Four of the bytes 0 to 3 of `first` and 4 to 7 of `second`, the lowest first.
template <u32 a, u32 b, u32 c, u32 d> DEV u32 bytesOf(u32 first, u32 second) {
    const u64 both = static_cast<u64>(second) << 32 | first;
    const auto byte = [&](u32 index) { return static_cast<u32>(both >> 8 * index) & 0xff; };
    return byte(a) | byte(b) << 8 | byte(c) << 16 | byte(d) << 24;
}
/// The nearest bf16s, ties to even.
DEV u32 roundedPair(float first, float second) {
    const u32 a = __builtin_bit_cast(u32, first), b = __builtin_bit_cast(u32, second);
    return bytesOf<2, 3, 6, 7>(a + 0x7fffu + ((a >> 16) & 1), b + 0x7fffu + ((b >> 16) & 1));
}
DEV float addRounded(float a, float b) { return a + b; }

// A matrix instruction as on gfx942.
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

DEV float bf16At(u64 words, u32 index) {
    return __builtin_bit_cast(float, static_cast<u32>(words >> (16 * index)) << 16);
}
/// sum += block of weights * tokens, over one half (0 or 1) of each piece's elements. Whole-wave.
DEV void multiplyAdd(const u32x4 (&weights)[blockPieces], u32x4 tokens, u32 half, f32x4 &sum) {
    // 16 elements, four in each quarter of the wave
    const u64 own = static_cast<u64>(weights[0][2 * half + 1]) << 32 | weights[0][2 * half];
    u64 rows[waveLanes];
    __builtin_memcpy(rows, host::exchange(own), sizeof rows);
    const u64 *columns = host::exchange(static_cast<u64>(tokens[2 * half + 1]) << 32 | tokens[2 * half]);
    for (u32 i = 0; i < 4; i++) {
        for (u32 k = 0; k < 16; k++) {
            const u32 quarter = k >> 2 << 4;
            sum[i] += bf16At(rows[quarter + sumRow(laneIndex(), i, 16)], k & 3) *
                      bf16At(columns[quarter + sumToken(laneIndex(), i)], k & 3);
        }
    }
}

/// One tile ahead in registers: its loads are issued when the tile before it is taken, and stay in flight across the
/// wait for the next phase's input.
struct TileStage {
    u32x4 next[tileBlocks];
    u64 weights, list;
    u32 offset, blockRows; // in the part, of the tile to ask for next

    void begin(Arguments &p) { weights = p.weights; }
    u32 depth(Arguments &) const { return 1; }
    void enter(Arguments &p, MatrixArguments &m, u32 layer, u32 part, u32 wave) {
        list = m.pages + static_cast<u64>((layer * p.lanes * p.members + part) * m.partPages) * 4;
        offset = wave * tileBlocks * 64 * m.blockRows;
        blockRows = m.blockRows;
    }
    bool lookUp() { return false; }
    void fill(u32) {
        const u32 lane = laneIndex(), row = pieceRow(lane);
        const u32 piece = (pieceChunk(lane) * blockRows + (row < blockRows ? row : blockRows - 1)) * 16;
        for (u32 i = 0; i < tileBlocks; i++) {
            const u32 at = offset + i * blockRows * 64 + piece;
            const u64 page = reinterpret_cast<const u32 *>(list)[at / pageBytes];
            next[i] = streamLoad(reinterpret_cast<const void *>(weights + page * pageBytes + at % pageBytes));
        }
        offset += workgroupThreads / waveLanes * tileBlocks * blockRows * 64;
    }
    void load(MatrixArguments &, u32x4 (&blocks)[tileBlocks][blockPieces]) {
        for (u32 i = 0; i < tileBlocks; i++) {
            blocks[i][0] = next[i];
        }
        fill(0);
    }
    static u32 fetchTiles(MatrixArguments &) { return 1; }
    void await() {}
    void refill() {}
    void end(Arguments &) {}
};

} // namespace monokernel::kernel
