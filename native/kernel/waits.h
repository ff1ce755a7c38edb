#pragma once

#include "words.h"
#include "worker.h"

// Waiting for words: until all carry the tag of the step, or the wait has failed.

namespace monokernel::kernel {

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

DEV bool anyLate(u32 differences) { return any(opaqueLane(differences) != 0); }

/// Waits until N pairs of words a lane all carry the step's tag: `from(i)` is pair i's address (any valid one for a
/// lane without work). No branch for a pair that is not needed or already there: measured, that costs more than the
/// loads. Where memory is to be spared, it then looks at the last pair alone until that is there. Whole-wave.
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
