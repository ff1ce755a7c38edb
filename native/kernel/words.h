#pragma once

#include "device.h"

// What is handed over carries the tag of the step that it is of. A tagged word has a value and a tag of 32 bits. A
// packed word has the upper 24 bits of two neighbouring values and the lower 16 of the tag: half as much to read for
// vectors that every workgroup of a lane reads.

namespace monokernel::kernel {

DEV u64 taggedWord(float value, u32 tag) { return static_cast<u64>(tag) << 32 | asBits(value); }
DEV u64 taggedWord(u32 value, u32 tag) { return static_cast<u64>(tag) << 32 | value; }

DEV u64 packedWord(float first, float second, u32 tag) {
    const u32 low = bytesOf<1, 2, 3, 5>(asBits(first), asBits(second));
    return static_cast<u64>(bytesOf<2, 3, 4, 5>(asBits(second), tag)) << 32 | low;
}
/// The values of a packed word. What it has not got of them is taken to be like the byte above: right on average, at
/// most 2^-15 off (root of the mean square 2^-16.3; what the matrix cores take is good to 2^-17), and exact for zeros,
/// infinities and bf16s. What arithmetic makes that is not a number stays so.
DEV float firstOf(u64 word) { return asFloat(bytesOf<0, 0, 1, 2>(static_cast<u32>(word), 0)); }
DEV float secondOf(u64 word) {
    return asFloat(bytesOf<3, 3, 4, 5>(static_cast<u32>(word), static_cast<u32>(word >> 32)));
}
/// A value as it comes out of a packed word.
DEV float packedValue(float value) { return asFloat(bytesOf<1, 1, 2, 3>(asBits(value), 0)); }

DEV void publish(u64 words, u32 index, float value, u32 tag) {
    publishWord(global<u64>(words) + index, taggedWord(value, tag));
}

/// A word of this device's mailboxes: other devices write them too, so it is read in the scope of the whole machine.
struct Mailbox {
    GLOBAL const u64 *word;
};
DEV Mailbox mailbox(u64 words, u32 index) { return {global<const u64>(words) + index}; }
DEV u64 pollWord(Mailbox from) { return systemLoad(from.word); }
DEV WordPair pollPair(Mailbox from) { return systemLoadPair(from.word); }

/// Writes a word of every device's mailboxes, this one's first.
DEV void storeToAll(Arguments &p, u64 words, u32 index, u64 word) {
    systemStore(global<u64>(words) + index, word);
    for (u32 i = 1; i < p.devices; i++) {
        systemStore(global<u64>(words + global<const u64>(p.peers)[i]) + index, word);
    }
}
DEV void publishToAll(Arguments &p, u64 words, u32 index, float value, u32 tag) {
    storeToAll(p, words, index, taggedWord(value, tag));
}

/// What neighbouring threads have for elements `index`, the even one's even, as packed words: store(word's index, word)
/// is called by the even one. `own`: whether the two have elements. Whole-wave.
template <class Store> DEV void packNeighbours(u32 index, float value, bool own, u32 tag, Store store) {
    const float next = shuffleXor(value, 1);
    if (own && (threadIndex() & 1) == 0) {
        store(index >> 1, packedWord(value, next, tag));
    }
    rejoin();
}

/// The same place in device 0's mailboxes.
DEV u64 atFirstDevice(Arguments &p, u64 words) {
    return p.device == 0 ? words : words + global<const u64>(p.peers)[p.devices - p.device];
}

/// The formats of words. late: not 0 if the word, or one of the pair, `index` of those waited for does not carry the
/// tag. Such differences are or-ed and looked at once: comparing each would take a scalar register pair or a predicate
/// of its own.
struct Tagged {
    DEV_MEMBER static u32 late(u64 word, u32 tag, u32) { return static_cast<u32>(word >> 32) ^ tag; }
};
struct Packed {
    DEV_MEMBER static u32 late(u64 word, u32 tag, u32) { return (static_cast<u32>(word >> 32) ^ tag << 16) >> 16; }
};

} // namespace monokernel::kernel
