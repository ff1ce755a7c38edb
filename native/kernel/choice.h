#pragma once

#include "matrix_product.h"

// Choosing the next token. Every workgroup reduces its rows of the head to a summary; every workgroup then reads all
// summaries and comes to the same choice, so that no further hand-off is needed.

namespace monokernel::kernel {

struct Choice {
    float best; ///< the logit, tempered and with its noise, that wins
    u32 token;
    float logit; ///< of that token
    float top;   ///< largest logit
    float sum;   ///< sum of exp(logit - top)
    u32 cancel;
};

constexpr float log2e = 1.44269504f, ln2 = 0.69314718f, lowest = -3.0e38f;

DEV Choice noChoice() { return {lowest, ~0u, lowest, lowest, 0.0f, 0}; }

DEV bool better(float best, u32 token, const Choice &than) {
    return best > than.best || (best == than.best && token < than.token);
}

DEV Choice merged(const Choice &a, const Choice &b) {
    const bool second = better(b.best, b.token, a);
    const float top = larger(a.top, b.top);
    const float sum = a.sum * exponential2((a.top - top) * log2e) + b.sum * exponential2((b.top - top) * log2e);
    return {second ? b.best : a.best, second ? b.token : a.token, second ? b.logit : a.logit, top, sum,
            a.cancel | b.cancel};
}

/// Natural logarithm of x in (0, infinity), good to 1e-7 relative also near 1, where the hardware's is not: the noise
/// of a likely token is -log(-log u) with u near 1.
DEV float naturalLog(float x) {
    const u32 bits = asBits(x);
    i32 exponent = static_cast<i32>(bits >> 23) - 127;
    float m = asFloat((bits & 0x7fffffu) | 0x3f800000u);
    if (m > 1.41421356f) {
        m *= 0.5f;
        exponent++;
    }
    const float s = (m - 1.0f) / (m + 1.0f), z = s * s;
    const float series = 2.0f * s * (1.0f + z * (0.33333333f + z * (0.2f + z * (0.14285714f + z * 0.11111111f))));
    return series + static_cast<float>(exponent) * ln2;
}

/// The same noise as exec/sampling.h's: SplitMix64's finaliser over (seed, position, token), as a Gumbel variate.
DEV float gumbelNoise(u64 seed, u32 position, u32 token) {
    u64 z = seed + 0x9e3779b97f4a7c15ull * ((static_cast<u64>(position) << 32) | token) + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    const float u = (static_cast<float>(static_cast<u32>(z >> 41)) + 0.5f) * 1.1920928955078125e-7f;
    return -naturalLog(-naturalLog(u));
}

/// Takes a logit into account; `position` is where the new token will stand.
DEV void admitLogit(Arguments &p, Choice &choice, u32 position, u32 token, float logit) {
    const float value = p.sampler.temperature > 0.0f
                            ? logit / p.sampler.temperature + gumbelNoise(p.sampler.seed, position, token)
                            : logit;
    if (better(value, token, choice)) {
        choice.best = value;
        choice.token = token;
        choice.logit = logit;
    }
    const float top = larger(choice.top, logit);
    choice.sum = choice.sum * exponential2((choice.top - top) * log2e) + exponential2((logit - top) * log2e);
    choice.top = top;
}

/// The choice of `lanes` neighbours, a power of two, alike in all of them.
template <u32 lanes> DEV Choice mergedAcross(const Worker &w, Choice choice) {
#pragma unroll
    for (u32 mask = 1; mask < lanes; mask <<= 1) {
        const Choice other{shuffleXor(choice.best, mask),  shuffleXor(choice.token, mask),
                           shuffleXor(choice.logit, mask), shuffleXor(choice.top, mask),
                           shuffleXor(choice.sum, mask),   shuffleXor(choice.cancel, mask)};
        const bool upper = (w.lane & mask) != 0; // one order of the operands in both partners
        choice = merged(upper ? other : choice, upper ? choice : other);
    }
    return choice;
}

/// The workgroup's choice from its threads', the same in all of them. Uses shared memory from `at`; ends with a
/// barrier.
DEV Choice workgroupChoice(const Worker &w, u32 at, Choice choice) {
    choice = mergedAcross<waveLanes>(w, choice);
    if (w.lane == 0) {
        SHARED float *slot = shared(at + w.wave * 8);
        slot[0] = choice.best;
        slot[1] = asFloat(choice.token);
        slot[2] = choice.logit;
        slot[3] = choice.top;
        slot[4] = choice.sum;
        slot[5] = asFloat(choice.cancel);
    }
    rejoin();
    barrier();
    SHARED const float *from = shared(at + (w.lane & (workgroupWaves - 1)) * 8); // each wave merges all of them
    choice =
        mergedAcross<workgroupWaves>(w, Choice{from[0], asBits(from[1]), from[2], from[3], from[4], asBits(from[5])});
    barrier();
    return choice;
}

/// Place `index` of `count` in the summaries at `base` of this step; the next step's have another place.
DEV u64 summaryWordsOf(const Worker &w, u64 base, u32 count, u32 index) {
    return base + (static_cast<u64>(alike(w.tag) & 1) * count + index) * (summaryWords * 8);
}

/// Calls put(word, value) for the words of a summary.
template <class Put> DEV void summarize(const Choice &choice, Put put) {
    put(summaryBest, choice.best);
    put(summaryToken, asFloat(choice.token));
    put(summaryLogit, choice.logit);
    put(summaryMax, choice.top);
    put(summarySum, choice.sum);
    put(summaryCancel, asFloat(choice.cancel));
}

/// Publishes the workgroup's summary of the step. Everything it did in this step comes before.
DEV void publishSummary(Arguments &p, const Worker &w, const Choice &choice) {
    if (threadIndex() == 0) {
        const u64 to = summaryWordsOf(w, p.summaries, p.workgroups, w.group);
        summarize(choice, [&](u32 word, float value) INLINED { publish(to, word, value, w.tag); });
    }
    rejoin();
}

/// Waits for `count` summaries and merges them, alike in every thread of the workgroup.
DEV Choice mergeSummaries(Arguments &p, Worker &w, u64 base, u32 count) {
    Choice choice = noChoice();
    for (u32 first = w.wave * waveLanes; first < count; first += workgroupThreads) {
        const u64 from = summaryWordsOf(w, base, count, minimum(first + w.lane, count - 1));
        float a[summaryWords / 2], b[summaryWords / 2];
        collect(p, w, waitSummary, 0, a, b, [&](u32 i) INLINED { return mailbox(from, 2 * i); });
        if (first + w.lane < count) {
            choice = merged(choice, Choice{a[0], asBits(b[0]), a[1], b[1], a[2], asBits(b[2])});
        }
        rejoin();
    }
    return workgroupChoice(w, p.scratchOffset, choice);
}

/// The step's choice, alike in every thread of every device: from all workgroups' summaries, or, where there are
/// several devices, from theirs, which each one's workgroup 0 makes of its workgroups'.
DEV Choice collectSummaries(Arguments &all, Worker &w) {
    Arguments &p = *refresh(&all);
    bool ofDevices = p.devices > 1 && w.group != 0;
    for (;;) {
        const Choice choice =
            mergeSummaries(p, w, ofDevices ? p.deviceSummaries : p.summaries, ofDevices ? p.devices : p.workgroups);
        if (ofDevices || p.devices == 1) {
            return choice;
        }
        if (threadIndex() == 0) {
            const u64 to = summaryWordsOf(w, p.deviceSummaries, p.devices, p.device);
            summarize(choice, [&](u32 word, float value) INLINED { publishToAll(p, to, word, value, w.tag); });
        }
        rejoin();
        ofDevices = true;
    }
}

} // namespace monokernel::kernel
