#pragma once

#include "timeline.h"

namespace monokernel::kernel {

/// One workgroup at work on one step: its role, the step's tag, and whether a wait has failed. The same in all its
/// lanes except `failed`, which is per wave until the end of the step.
struct Worker {
    Parked group;  ///< role in the grid, 0 .. workgroups-1
    Parked member; ///< among the workgroups that share a lane
    Parked firstLane, laneStep;
    Parked wave; ///< of the workgroup
    u32 lane;    ///< of the wave
    u32 tag;
    Parked block; ///< counts row blocks: which of the two partial buffers is in use
    Parked phase; ///< counts matrix phases: which of the two norm sums is in use
    u32 failed;   ///< 0 or 1
    Timeline timeline;
};

/// The same worker; what is computed from it is computed where it is used, not far above.
DEV void renew(Worker &w) {
    w.group = opaque(w.group);
    w.member = opaque(w.member);
    w.firstLane = opaque(w.firstLane);
    w.laneStep = opaque(w.laneStep);
    w.wave = opaque(w.wave);
    w.lane = laneAgain(w.lane);
    w.block = opaque(w.block);
    w.phase = opaque(w.phase);
}

// What is handed over carries the tag of the step that it is of. A tagged word has a value and a tag of 32 bits. A
// packed word has the upper 24 bits of two neighbouring values and the lower 16 of the tag: half as much to read for
// vectors that every workgroup of a lane reads.

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

/// Tells all waits of all devices that one has failed.
DEV void giveUp(Arguments &p, u32 group, u32 edge, u32 layer) {
    storeToAll(p, p.abort, 0,
               1ull << 63 | static_cast<u64>(edge) << 48 | static_cast<u64>(layer) << 32 | p.device << 16 | group);
}

/// Called now and then by a wait: leaves when another wait has failed, the host says so, or this one has lasted too
/// long. Whole-wave.
DEV bool waitExpired(Arguments &all, u32 group, u32 edge, u32 layer, u32 spins) {
    Arguments &p = *refresh(&all);
    group = opaque(group);
    layer = opaque(layer);
    if (any(pollWord(mailbox(p.abort, 0)) != 0)) {
        return true;
    }
    if ((spins & 4095) == 0 && any(systemLoad(global<const u32>(p.cancel)) == cancelWaits)) {
        return true;
    }
    if (spins < p.spinLimit) {
        return false;
    }
    if (laneIndex() == 0) {
        giveUp(p, group, edge, layer);
    }
    rejoin();
    return true;
}

/// True while the wait should go on.
DEV bool waitOn(Arguments &p, Worker &w, u32 edge, u32 layer, u32 &spins) {
    if (alike(w.failed) != 0) {
        return false;
    }
    spins = alike(spins) + 1;
    if ((spins & 63) == 0 && any(waitExpired(p, w.group, edge, layer, spins))) {
        w.failed = 1;
        return false;
    }
    nap();
    return true;
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
DEV bool anyLate(u32 differences) { return any(opaqueLane(differences) != 0); }

/// Waits until N pairs of words a lane all carry the step's tag: `from(i)` is pair i's address (any valid one for a
/// lane without work). No branch for a pair that is not needed or already there: measured, that costs more than the
/// loads. Whole-wave.
template <class Format, u32 N, class From>
DEV void awaitPairs(Arguments &p, Worker &w, u32 edge, u32 layer, WordPair (&pairs)[N], From from) {
    const auto late = [&](const WordPair &pair, u32 index) INLINED {
        return Format::late(pair.first, w.tag, index) | Format::late(pair.second, w.tag, index);
    };
    u32 spins = 0;
    for (;;) {
        u32 missing = 0;
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            pairs[i] = pollPair(from(i));
        }
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            missing |= late(pairs[i], i);
        }
        if (!anyLate(missing) || !waitOn(p, w, edge, layer, spins)) {
            break;
        }
        while (N > 1 && spinsOnLast && anyLate(late(pollPair(from(N - 1)), N - 1)) &&
               waitOn(p, w, edge, layer, spins)) {
        }
    }
}

/// The same for single words.
template <class Format, u32 N, class From>
DEV void awaitWords(Arguments &p, Worker &w, u32 edge, u32 layer, u64 (&words)[N], From from) {
    u32 spins = 0;
    for (;;) {
        u32 missing = 0;
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            words[i] = pollWord(from(i));
        }
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            missing |= Format::late(words[i], w.tag, i);
        }
        if (!anyLate(missing) || !waitOn(p, w, edge, layer, spins)) {
            return;
        }
    }
}

/// Waits for N pairs of neighbouring values a lane, in tagged words.
template <u32 N, class From>
DEV void collect(Arguments &p, Worker &w, u32 edge, u32 layer, float (&first)[N], float (&second)[N], From from) {
    WordPair pairs[N];
    awaitPairs<Tagged>(p, w, edge, layer, pairs, from);
#pragma unroll
    for (u32 i = 0; i < N; i++) {
        first[i] = asFloat(static_cast<u32>(pairs[i].first));
        second[i] = asFloat(static_cast<u32>(pairs[i].second));
    }
}

/// Waits for N tagged words a lane.
template <u32 N, class From>
DEV void collectWords(Arguments &p, Worker &w, u32 edge, u32 layer, u32 (&values)[N], From from) {
    u64 words[N];
    awaitWords<Tagged>(p, w, edge, layer, words, from);
#pragma unroll
    for (u32 i = 0; i < N; i++) {
        values[i] = static_cast<u32>(words[i]);
    }
}

DEV f32x4 valuesOf(WordPair packed) {
    return f32x4{firstOf(packed.first), secondOf(packed.first), firstOf(packed.second), secondOf(packed.second)};
}

/// Waits for N times four neighbouring values a lane, in packed words.
template <u32 N, class From>
DEV void collectPacked(Arguments &p, Worker &w, u32 edge, u32 layer, f32x4 (&values)[N], From from) {
    WordPair pairs[N];
    awaitPairs<Packed>(p, w, edge, layer, pairs, from);
#pragma unroll
    for (u32 i = 0; i < N; i++) {
        values[i] = valuesOf(pairs[i]);
    }
}

} // namespace monokernel::kernel
