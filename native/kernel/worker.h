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

DEV u64 taggedWord(float value, u32 tag) { return static_cast<u64>(tag) << 32 | asBits(value); }
DEV u64 taggedWord(u32 value, u32 tag) { return static_cast<u64>(tag) << 32 | value; }

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

/// Not 0 if a word does not carry the tag. Such differences are or-ed and looked at once: comparing each would take a
/// scalar register pair or a predicate of its own.
DEV u32 late(u64 word, u32 tag) { return static_cast<u32>(word >> 32) ^ tag; }
DEV u32 late(WordPair pair, u32 tag) { return late(pair.first, tag) | late(pair.second, tag); }
DEV bool anyLate(u32 differences) { return any(opaqueLane(differences) != 0); }

/// Waits until N pairs of tagged words a lane all carry the step's tag: `from(i)` is pair i's address (any valid one
/// for a lane without work). After a first look it spins on the last pair alone, so that waiting costs little
/// bandwidth. No branch for a pair that is not needed or already there: measured, that costs more than the loads.
/// Whole-wave.
template <u32 N, class From>
DEV void collect(Arguments &p, Worker &w, u32 edge, u32 layer, float (&first)[N], float (&second)[N], From from) {
    u32 spins = 0;
    WordPair pairs[N];
    for (;;) {
        u32 missing = 0;
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            pairs[i] = pollPair(from(i));
        }
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            missing |= late(pairs[i], w.tag);
        }
        if (!anyLate(missing) || !waitOn(p, w, edge, layer, spins)) {
            break;
        }
        while (N > 1 && anyLate(late(pollPair(from(N - 1)), w.tag)) && waitOn(p, w, edge, layer, spins)) {
        }
    }
#pragma unroll
    for (u32 i = 0; i < N; i++) {
        first[i] = asFloat(static_cast<u32>(pairs[i].first));
        second[i] = asFloat(static_cast<u32>(pairs[i].second));
    }
}

/// The same for single words.
template <u32 N, class From>
DEV void collectWords(Arguments &p, Worker &w, u32 edge, u32 layer, u32 (&values)[N], From from) {
    u32 spins = 0;
    for (;;) {
        u32 missing = 0;
        u64 words[N];
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            words[i] = pollWord(from(i));
        }
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            missing |= late(words[i], w.tag);
            values[i] = static_cast<u32>(words[i]);
        }
        if (!anyLate(missing) || !waitOn(p, w, edge, layer, spins)) {
            return;
        }
    }
}

} // namespace monokernel::kernel
