#pragma once

#include "stage.h"

// Sums over lanes, shared out over the whole grid: each workgroup adds a slice of the hidden vector and publishes it.

namespace monokernel::kernel {

/// to[i] = sum over lanes of from[lane][i], both tagged, for this workgroup's slice of [hidden]. Whole-wave, one wave.
DEV void sumLanes(Arguments &p, Worker &w, u32 edge, u32 layer, u64 from, u64 to) {
    const u32 pairs = p.hidden >> 1;
    const u32 begin = static_cast<u32>(static_cast<u64>(pairs) * w.group / p.workgroups);
    const u32 end = static_cast<u32>(static_cast<u64>(pairs) * (w.group + 1) / p.workgroups);
    for (u32 base = begin; base < end; base += waveLanes) {
        const u32 index = 2 * minimum(base + w.lane, end - 1);
        float a = 0.0f, b = 0.0f;
        for (u32 lane = 0; lane < p.lanes; lane += batchPairs) { // usually once
            float x[batchPairs], y[batchPairs];
            collect(p, w, edge, layer, x, y, [&](u32 i) {
                return global<const u64>(from) + minimum(lane + i, p.lanes - 1) * p.hidden + index;
            });
#pragma unroll
            for (u32 i = 0; i < batchPairs; i++) {
                a += lane + i < p.lanes ? x[i] : 0.0f;
                b += lane + i < p.lanes ? y[i] : 0.0f;
            }
        }
        if (base + w.lane < end) {
            publish(to, index, a, w.tag);
            publish(to, index + 1, b, w.tag);
        }
    }
}

/// The modules of a layer whose partial outputs enter the residual streams.
enum Module : u32 { moduleAttention, moduleFfn };

DEV u64 partialWords(Arguments &p, u32 module, u32 layer, u32 lane) {
    const u64 base = module == moduleAttention ? p.outputPartial : p.downPartial;
    return base + (static_cast<u64>(layer) * p.lanes + lane) * p.hidden * 8;
}
DEV u64 sumWords(Arguments &p, u32 module, u32 layer) {
    return (module == moduleAttention ? p.outputSum : p.downSum) + static_cast<u64>(layer) * p.hidden * 8;
}
DEV u32 reductionOf(Arguments &p, u32 layer) {
    return layer < p.broadcastDelay ? p.earlyReduction : p.lateReduction;
}
DEV u32 partialEdge(u32 module) { return module == moduleAttention ? waitAttentionPartial : waitFfnPartial; }

/// What `module` of `layer` adds to `lane`'s residual stream.
DEV ResidualUpdate updateAfter(Arguments &p, u32 module, u32 layer, u32 lane) {
    const u32 reduction = reductionOf(p, layer);
    ResidualUpdate update{0, partialEdge(module), layer, 0, 0, partialWords(p, module, layer, lane), 1.0f};
    if (reduction == reductionOwn) {
        update.lastScale = p.ownScale;
    } else if (reduction == reductionPresent) {
        update.edge = waitLaneSum;
        update.last = sumWords(p, module, layer);
    } else {
        update.sumPast = sumWords(p, module, layer - p.broadcastDelay);
        update.ownPast = partialWords(p, module, layer - p.broadcastDelay, lane);
    }
    return update;
}

/// A sum over lanes to be made.
struct LaneSum {
    bool needed;
    u32 edge, layer;
    u64 from, to;
};

/// The sum that this layer's own update needs at once.
DEV LaneSum presentSum(Arguments &p, u32 module, u32 layer) {
    return {reductionOf(p, layer) == reductionPresent, partialEdge(module), layer, partialWords(p, module, layer, 0),
            sumWords(p, module, layer)};
}

/// The sum that a later layer needs, made while there is time.
DEV LaneSum laterSum(Arguments &p, u32 module, u32 layer) {
    const bool needed = p.lateReduction == reductionPast && layer + p.broadcastDelay < p.layers;
    return {needed && reductionOf(p, layer) != reductionPresent, partialEdge(module), layer, partialWords(p, module, layer, 0),
            sumWords(p, module, layer)};
}

} // namespace monokernel::kernel
