#pragma once

#include "phases.h"

// The KV cache: f16, written once a position and read by other workgroups in later steps. Keys lie as
// [slot, layer, head][position / 64][headDim / 8][64][8], so that neighbouring lanes read neighbouring positions;
// values as [..][position / 8][headDim][8], so that they read neighbouring elements.

namespace monokernel::kernel {

constexpr u32 keyBlock = 64;               ///< positions that lie together among the keys
constexpr u32 pieceHalves = 8;             ///< of a 16-byte piece: of a key's elements, or of an element's positions
constexpr u32 valuePieces = waveLanes / 8; ///< of an element over a wave's block of positions
constexpr float largestHalf = 65504.0f;

/// Heads of up to `capacity` elements: what a lane holds of a block of waveLanes positions. It has one position's key,
/// and of the values elements lane, lane + waveLanes, ...
template <u32 capacity> struct HeadShape {
    static constexpr u32 keyPieces = capacity / pieceHalves <= maxAskedPieces ? capacity / pieceHalves : 8;
    static constexpr u32 elements = (capacity + waveLanes - 1) / waveLanes;
    static constexpr u32 askedElements = keyPieces < valuePieces ? 1 : keyPieces / valuePieces;
};

/// Pieces of a block of positions on their way from memory: the first of its keys, and of its first elements' values.
/// A head with more of them asks for the others when these are used.
template <u32 capacity> struct CacheBlock {
    u32x4 keys[HeadShape<capacity>::keyPieces];
    u32x4 values[HeadShape<capacity>::askedElements][valuePieces];
};

struct CacheHead {
    u64 keys, values;
};

/// Where a KV head's cache lies.
DEV CacheHead cacheHead(Arguments &p, u32 layer, u32 lane, u32 kvHead) {
    const u64 at =
        p.slot * p.slotHalves + static_cast<u64>((layer * p.lanes + lane) * p.laneKvHeads + kvHead) * p.headHalves;
    return {p.keys + at * 2, p.values + at * 2};
}

DEV u64 keyPiece(Arguments &p, const CacheHead &cache, u32 position, u32 piece) {
    const u64 at = static_cast<u64>(position / keyBlock * (p.headDim / pieceHalves) + piece) * keyBlock;
    return cache.keys + (at + position % keyBlock) * 16;
}
DEV u64 valuePiece(Arguments &p, const CacheHead &cache, u32 position, u32 element) {
    return cache.values + (static_cast<u64>(position / pieceHalves) * p.headDim + element) * 16;
}

/// Asks for a block's keys from piece `first` on.
template <u32 capacity>
DEV void askKeys(Arguments &p, const Worker &w, const CacheHead &cache, u32 block, u32 first,
                 CacheBlock<capacity> &ahead) {
    const u64 piece = keyPiece(p, cache, opaque(block) * waveLanes + w.lane, 0);
    const u32 pieces = opaque(p.headDim / pieceHalves); // addresses are not computed ahead of loops
#pragma unroll
    for (u32 i = 0; i < HeadShape<capacity>::keyPieces; i++) {
        ahead.keys[i] = deviceLoad(global<const u32x4>(piece + minimum(first + i, pieces - 1) * (keyBlock * 16)));
    }
}

/// Asks for the values of this lane's elements from `first` on.
template <u32 capacity>
DEV void askValues(Arguments &p, const Worker &w, const CacheHead &cache, u32 block, u32 first,
                   CacheBlock<capacity> &ahead) {
#pragma unroll
    for (u32 j = 0; j < HeadShape<capacity>::askedElements; j++) {
        const u32 element = minimum(w.lane + (first + j) * waveLanes, p.headDim - 1);
        const u64 piece = valuePiece(p, cache, opaque(block) * waveLanes, element);
        const u32 pitch = opaque(p.headDim * 16);
#pragma unroll
        for (u32 i = 0; i < valuePieces; i++) {
            ahead.values[j][i] = deviceLoad(global<const u32x4>(piece + i * pitch));
        }
    }
}

using Half = _Float16;
DEV u16 halfBits(float value) {
    const float limited = value > largestHalf ? largestHalf : value < -largestHalf ? -largestHalf : value;
    return __builtin_bit_cast(u16, static_cast<Half>(limited));
}
DEV float halfValue(u16 bits) { return static_cast<float>(__builtin_bit_cast(Half, bits)); }
DEV float lowHalf(u32 pair) { return halfValue(static_cast<u16>(pair)); }
DEV float highHalf(u32 pair) { return halfValue(static_cast<u16>(pair >> 16)); }
/// What the cache keeps of a value.
DEV float cached(float value) { return halfValue(halfBits(value)); }

/// Writes a position's key and value, which lie in shared memory; released at the end of the step, read from the next
/// one on.
DEV void writeCache(Arguments &p, const CacheHead &cache, u32 position, u32 key, u32 value) {
    for (u32 i = threadIndex(); i < p.headDim; i += workgroupThreads) {
        deviceStore(global<u16>(keyPiece(p, cache, position, i / pieceHalves)) + i % pieceHalves,
                    halfBits(*shared(key + i)));
        deviceStore(global<u16>(valuePiece(p, cache, position, i)) + position % pieceHalves,
                    halfBits(*shared(value + i)));
    }
    rejoin();
}

/// First position that a query at `position` sees.
DEV u32 firstSeen(Arguments &p, u32 layer, u32 position) {
    const bool windowed = layer < p.windowBelow || layer >= p.windowFrom;
    return windowed && position >= p.window ? position + 1 - p.window : 0;
}

/// A wave's first block of positions, of which its workgroup has chunk `chunk`: blocks are dealt round-robin over
/// chunks and waves.
DEV u32 firstBlock(Arguments &p, const Worker &w, u32 begin, u32 chunk) {
    return begin / waveLanes + chunk + p.chunks * w.wave;
}

/// The KV head of a decode step's unit of attention, which is `part` of all heads' parts.
DEV u32 partHead(Arguments &p, u32 part) { return quotient(part, p.queryPartsDivisor); }

/// Has the wave's first block of a layer's cache on its way to the L2 before its attention phase begins.
DEV void prefetchCache(Arguments &p, const Worker &w, u32 layer, u32 lane, u32 position) {
    if (w.member >= p.laneKvHeads * p.queryParts * p.chunks) {
        return;
    }
    const CacheHead cache = cacheHead(p, layer, lane, partHead(p, w.member >> p.chunksLog2));
    const u32 first = firstBlock(p, w, firstSeen(p, layer, position), w.member & (p.chunks - 1)) * waveLanes;
    if (first >= position) {
        return;
    }
    constexpr u32 linePieces = 8, keyLines = waveLanes / linePieces; // of 128 bytes; of a piece of all positions' keys
    for (u32 line = w.lane; line < p.headDim / pieceHalves * keyLines; line += waveLanes) {
        prefetch(global<const u32x4>(keyPiece(p, cache, first, line / keyLines)) + line % keyLines * linePieces);
        prefetch(global<const u32x4>(valuePiece(p, cache, first, 0)) + line * linePieces);
    }
    rejoin();
}

} // namespace monokernel::kernel
