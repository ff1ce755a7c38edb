#pragma once

#include "device_nvidia.h"

namespace monokernel::kernel {

/// A ring of fetches in shared memory for each wave of an NVIDIA device: the weights of the next phases stream in while
/// the wave waits for its input. How a fetch is asked for and waited for is the generation's, which derives from this.
struct TileRing {
    u32 ring;        ///< this wave's part, a shared-memory byte address
    u32 slots, slot; ///< the slot to take from next
    u32 at;          ///< the tile to load next
    u32 read;        ///< all that was read of the slot, or-ed
    u32 fetchBytes;  ///< of what to ask for next
    u64 from;        ///< its address
    u64 policy;      ///< weights leave the L2 first: what is handed over and the KV cache shall stay
    static constexpr u32 waves = workgroupThreads / waveLanes, slotBytes = tileBlocks * 1024;

    DEV_MEMBER u32 depth(Arguments &p) const { return p.ringSlots; }
    DEV_MEMBER void beginRing(Arguments &p) {
        slots = p.ringSlots;
        ring = sharedAddress(shared(p.ringOffset)) + waveIndex() * slots * slotBytes;
        slot = read = 0;
        asm volatile("createpolicy.fractional.L2::evict_first.b64 %0,1.0;" : "=l"(policy));
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
    /// 0, but made of all that was read of the slot: bits of the number of slots that are never set. What depends on it
    /// comes after those reads.
    DEV_MEMBER u32 afterReads() {
        const u32 nothing = read & (slots >> 16);
        read = 0;
        return nothing;
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
};

} // namespace monokernel::kernel
