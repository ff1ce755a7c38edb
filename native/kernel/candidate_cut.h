#pragma once

#include "choice.h"

// Sampling from the topK best tokens, or from the smallest set of probability topP of them. All workgroups publish
// their logits to device 0; its workgroup 0 finds the border of the set and draws; the others, of all devices, wait for
// its decision.

namespace monokernel::kernel {

DEV bool cutsCandidates(Arguments &p) {
    return p.sampler.temperature > 0.0f && (p.sampler.topK != 0 || p.sampler.topP < 1.0f);
}

/// Larger for larger logits, and among equal ones for lower tokens: the order in which candidates are kept.
DEV u64 candidateKey(float logit, u32 token) {
    const u32 bits = asBits(logit);
    const u32 ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
    return static_cast<u64>(ordered) << 32 | static_cast<u32>(~token);
}

/// Probability weight in units of 2^-40: whole numbers, so that their sum does not depend on the order.
DEV u64 candidateWeight(Arguments &p, float logit, float top) {
    return static_cast<u64>(exponential2((logit - top) * log2e / p.sampler.temperature) * 1.099511627776e12f);
}

constexpr u32 digitBins = 256;
constexpr u32 logitBatch = 4; ///< logits a thread waits for at once

/// Calls body(token, logit) for this thread's tokens. Whole-workgroup.
template <class Body> DEV void forLogits(Arguments &p, Worker &w, Body body) {
    for (u32 base = 0; base < p.vocabulary; base += workgroupThreads * logitBatch) {
        u32 values[logitBatch];
        collectWords(p, w, waitLogits, 0, values, [&](u32 i) INLINED {
            return mailbox(p.logits, minimum(base + i * workgroupThreads + threadIndex(), p.vocabulary - 1));
        });
#pragma unroll
        for (u32 i = 0; i < logitBatch; i++) {
            const u32 token = base + i * workgroupThreads + threadIndex();
            if (token < p.vocabulary) {
                body(token, asFloat(values[i]));
            }
        }
    }
}

/// The bin, from the highest down, in which the running total of the bins reaches `target`; `before` gets the total of
/// those above it. The same in every lane. Whole-wave.
DEV u32 crossingBin(const Worker &w, SHARED const u64 *bins, u64 target, u64 &before) {
    constexpr u32 each = digitBins / waveLanes;
    u64 own = 0;
    for (u32 i = 0; i < each; i++) {
        own += bins[w.lane * each + i];
    }
    u64 above = 0, block = own; // above: the lanes of this lane's block that are higher
#pragma unroll
    for (u32 mask = 1; mask < waveLanes; mask <<= 1) {
        const u64 other = static_cast<u64>(shuffleXor(static_cast<u32>(block >> 32), mask)) << 32 |
                          shuffleXor(static_cast<u32>(block), mask);
        above += (w.lane & mask) == 0 ? other : 0;
        block += other;
    }
    u32 found = 0, low = 0, high = 0;
    u64 running = above;
    for (u32 i = each; i-- > 0;) {
        const u64 bin = bins[w.lane * each + i];
        if (running < target && running + bin >= target) {
            found = w.lane * each + i;
            low = static_cast<u32>(running);
            high = static_cast<u32>(running >> 32);
        }
        running += bin;
    }
#pragma unroll
    for (u32 mask = 1; mask < waveLanes; mask <<= 1) { // one lane has it, the others have zeros
        found |= shuffleXor(found, mask);
        low |= shuffleXor(low, mask);
        high |= shuffleXor(high, mask);
    }
    before = static_cast<u64>(high) << 32 | low;
    return found;
}

/// The smallest key that belongs to the set of highest keys whose weights first reach `share` of the total (or `count`
/// keys, if that is not 0), among the keys >= floor. Eight bits at a time, down from the highest. Whole-workgroup.
DEV u64 borderKey(Arguments &p, Worker &w, float top, u64 floor, u32 count, float share) {
    SHARED u64 *bins = (SHARED u64 *)shared(p.scratchOffset);
    SHARED u32 *keys = (SHARED u32 *)(bins + digitBins);
    u64 prefix = 0, target = count;
    for (u32 shift = 56;; shift -= 8) {
        for (u32 i = threadIndex(); i < digitBins; i += workgroupThreads) {
            bins[i] = 0;
            keys[i] = 0;
        }
        barrier();
        forLogits(p, w, [&](u32 token, float logit) INLINED {
            const u64 key = candidateKey(logit, token);
            if (key >= floor && (shift == 56 || key >> (shift + 8) == prefix)) {
                addShared(bins + ((key >> shift) & (digitBins - 1)), count != 0 ? 1 : candidateWeight(p, logit, top));
                addShared(keys + ((key >> shift) & (digitBins - 1)), 1u);
            }
        });
        barrier();
        if (shift == 56 && count == 0) {
            u64 total = 0;
            for (u32 i = 0; i < digitBins; i++) {
                total += bins[i];
            }
            target = static_cast<u64>(static_cast<double>(share) * static_cast<double>(total));
            target = target == 0 ? 1 : target;
        }
        u64 before = 0;
        const u32 bin = uniform(crossingBin(w, bins, target, before));
        const bool whole = any(keys[bin] <= 1 || before + bins[bin] == target);
        barrier();
        target -= before;
        prefix = prefix << 8 | bin;
        if (shift == 0 || whole) {
            return prefix << shift;
        }
    }
}

/// The draw of device 0's workgroup 0 among the candidates, told to all; every thread of all grids gets it.
/// Whole-workgroup.
DEV void drawFromCandidates(Arguments &all, Worker &w, u32 position, Choice &choice) {
    Arguments &p = *refresh(&all);
    if (p.device == 0 && w.group == 0) {
        u64 border = 0;
        if (p.sampler.topK != 0 && p.sampler.topK < p.vocabulary) {
            border = borderKey(p, w, choice.top, 0, p.sampler.topK, 0.0f);
        }
        if (p.sampler.topP < 1.0f) {
            border = borderKey(p, w, choice.top, border, 0, p.sampler.topP);
        }
        Choice own = noChoice();
        forLogits(p, w, [&](u32 token, float logit) INLINED {
            if (candidateKey(logit, token) >= border) {
                admitLogit(p, own, position, token, logit);
            }
        });
        own = workgroupChoice(w, p.scratchOffset, own);
        if (threadIndex() == 0) {
            publishToAll(p, p.decision, 0, asFloat(own.token), w.tag);
            publishToAll(p, p.decision, 1, own.logit, w.tag);
        }
        rejoin();
    }
    u32 words[2];
    collectWords(p, w, waitLogits, 0, words, [&](u32 i) INLINED { return mailbox(p.decision, i); });
    choice.token = words[0];
    choice.logit = asFloat(words[1]);
}

} // namespace monokernel::kernel
