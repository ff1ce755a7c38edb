#pragma once

#include "stage.h"

// Sums over lanes, those of other devices too, always in the order of lanes. A sum that all lanes need is shared out
// over the device's workgroups: each adds a slice of the hidden vector and publishes it.

namespace monokernel::kernel {

constexpr u32 batchLanes = 8; ///< lanes whose words are waited for at once

/// to[i] = sum over all lanes of from[lane][i], packed, for this workgroup's slice of [hidden]; `from` is tagged and in
/// the mailboxes. Whole-wave, one wave.
DEV void sumLanes(Arguments &p, Worker &w, u32 edge, u32 layer, u64 from, u64 to) {
    const u32 pairs = p.hidden >> 1;
    const u32 begin = pairs * w.group / p.workgroups, end = pairs * (w.group + 1) / p.workgroups;
    for (u32 base = begin; base < end; base += waveLanes) {
        const u32 pair = minimum(base + w.lane, end - 1);
        float a = 0.0f, b = 0.0f;
        for (u32 lane = 0; lane < p.allLanes; lane += batchLanes) { // usually once
            float x[batchLanes], y[batchLanes];
            collect(p, w, edge, layer, x, y, [&](u32 i) INLINED {
                return mailbox(from, minimum(lane + i, p.allLanes - 1) * p.hidden + 2 * pair);
            });
#pragma unroll
            for (u32 i = 0; i < batchLanes; i++) {
                a += lane + i < p.allLanes ? x[i] : 0.0f;
                b += lane + i < p.allLanes ? y[i] : 0.0f;
            }
        }
        if (base + w.lane < end) {
            publishWord(global<u64>(to) + pair, packedWord(a, b, w.tag));
        }
        rejoin();
    }
}

/// The modules of a layer whose partial outputs enter the residual streams.
enum Module : u32 { moduleAttention, moduleFfn };

/// Where the lane that is `lane` of all has its partial outputs.
DEV u64 partialWords(Arguments &p, u32 module, u32 layer, u32 lane) {
    const u64 base = module == moduleAttention ? p.outputPartial : p.downPartial;
    return base + (static_cast<u64>(layer) * p.allLanes + lane) * p.hidden * 8;
}
DEV u64 updateWords(Arguments &p, u32 module, u32 layer, u32 lane) {
    const u64 base = module == moduleAttention ? p.outputUpdate : p.downUpdate;
    return base + (static_cast<u64>(layer) * p.lanes + lane) * packedBytes(p.hidden);
}
DEV u32 reductionOf(Arguments &p, u32 layer) { return layer < p.broadcastDelay ? p.earlyReduction : p.lateReduction; }
DEV u32 partialEdge(u32 module) { return module == moduleAttention ? waitAttentionPartial : waitFfnPartial; }

/// All lanes' partial outputs of the delayed layer for one element, asked for early and not waited for: whoever makes
/// an element of this layer's update asks before its own work and looks at them after it.
struct DelayedWords {
    u64 words[batchLanes];
};

DEV void askDelayed(Arguments &p, DelayedWords &early, u32 module, u32 layer, u32 element) {
    const u64 from = partialWords(p, module, layer - p.broadcastDelay, 0);
#pragma unroll
    for (u32 i = 0; i < batchLanes; i++) {
        early.words[i] = pollWord(mailbox(from, minimum(i, p.allLanes - 1) * p.hidden + element));
    }
}

/// The sum of the words that were asked for, without those of `lane` of all; false if some were not there yet or there
/// are more lanes. Whole-wave.
DEV bool sumDelayed(Arguments &p, const Worker &w, const DelayedWords &early, u32 lane, float &sum) {
    u32 missing = p.allLanes > batchLanes ? 1 : 0;
    sum = 0.0f;
#pragma unroll
    for (u32 i = 0; i < batchLanes; i++) {
        missing |= Tagged::late(early.words[i], w.tag, i);
        sum += i < p.allLanes && i != lane ? asFloat(static_cast<u32>(early.words[i])) : 0.0f;
    }
    return !anyLate(missing);
}

/// The same with waiting. Whole-wave.
DEV float delayedOthers(Arguments &p, Worker &w, u32 module, u32 layer, u32 lane, u32 element) {
    const u64 words = partialWords(p, module, layer - p.broadcastDelay, 0);
    float sum = 0.0f;
    for (u32 first = 0; first < p.allLanes; first += batchLanes) {
        u32 values[batchLanes];
        collectWords(p, w, partialEdge(module), layer - p.broadcastDelay, values, [&](u32 i) INLINED {
            return mailbox(words, minimum(first + i, p.allLanes - 1) * p.hidden + element);
        });
#pragma unroll
        for (u32 i = 0; i < batchLanes; i++) {
            sum += first + i < p.allLanes && first + i != lane ? asFloat(values[i]) : 0.0f;
        }
    }
    return sum;
}

/// Where a decode step finds what `module` of `layer` adds to `lane`'s residual stream. Where all lanes' partial
/// outputs are added at once, every workgroup first sums a slice of them (sumLanes).
struct UpdateWords {
    u32 edge;
    u64 words; ///< packed [hidden]
};
DEV UpdateWords updateAfter(Arguments &p, u32 module, u32 layer, u32 lane) {
    const bool present = reductionOf(p, layer) == reductionPresent;
    return {present ? static_cast<u32>(waitLaneSum) : partialEdge(module),
            updateWords(p, module, layer, present ? 0 : lane)};
}

} // namespace monokernel::kernel
