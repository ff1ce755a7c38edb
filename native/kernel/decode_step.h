#pragma once

#include "attention.h"
#include "choice.h"
#include "lane_sum.h"

// One token through all layers.

namespace monokernel::kernel {

DEV u64 residualOf(const Parameters &p, const Worker &w, u32 lane) {
    return p.residual + (static_cast<u64>(lane) * p.members + w.member) * p.hidden * 4;
}
DEV u64 normWeights(const Parameters &p, u64 norms, u32 layer, u32 lane) {
    const u32 index = p.perLaneNorm != 0 ? layer * p.lanes + lane : layer;
    return norms + static_cast<u64>(index) * p.hidden * 4;
}

DEV void queryKeyValuePhase(const Parameters &p, Worker &w, WeightStream &stream, u32 layer, u32 lane, u32 token) {
    const PackedMatrix &m = p.matrices[matrixQkv];
    ResidualUpdate update{};
    if (layer == 0) {
        update.embeddingRow = p.embedding + static_cast<u64>(token) * p.hidden * 2;
    } else {
        update = updateAfter(p, moduleFfn, layer - 1, lane);
    }
    stageResidual(p, w, m, residualOf(p, w, lane), update, normWeights(p, p.attentionNorm, layer, lane));
    multiplyAndPublish(p, w, m, stream, true, p.queryKeyValue + (static_cast<u64>(layer) * p.lanes + lane) * m.laneRows * 8);
}

DEV void outputPhase(const Parameters &p, Worker &w, WeightStream &stream, u32 layer, u32 lane) {
    const PackedMatrix &m = p.matrices[matrixOutput];
    const u64 heads = (static_cast<u64>(layer) * p.lanes + lane) * p.laneHeads * p.chunks * (p.headDim + 2);
    stageAttention(p, w, m, layer, p.attention + heads * 8);
    multiplyAndPublish(p, w, m, stream, false, partialWords(p, moduleAttention, layer, lane));
}

DEV void gateUpPhase(const Parameters &p, Worker &w, WeightStream &stream, u32 layer, u32 lane) {
    const PackedMatrix &m = p.matrices[matrixGateUp];
    stageResidual(p, w, m, residualOf(p, w, lane), updateAfter(p, moduleAttention, layer, lane),
                  normWeights(p, p.ffnNorm, layer, lane));
    multiplyAndActivate(p, w, m, stream, p.activation + (static_cast<u64>(layer) * p.lanes + lane) * p.laneFfn * 8);
}

DEV void downPhase(const Parameters &p, Worker &w, WeightStream &stream, u32 layer, u32 lane) {
    const PackedMatrix &m = p.matrices[matrixDown];
    stageVector(p, w, m, waitActivation, layer, p.activation + (static_cast<u64>(layer) * p.lanes + lane) * p.laneFfn * 8, 0);
    multiplyAndPublish(p, w, m, stream, false, partialWords(p, moduleFfn, layer, lane));
}

/// The phases of a layer in order; each for every lane that this workgroup serves.
DEV void runLayer(const Parameters &p, Worker &w, WeightStream &stream, u32 layer, u32 token, u32 position) {
    KERNEL_MARK("dispatch");
    if (layer > 0) {
        sumPresent(p, w, moduleFfn, layer - 1);
    }
    for (u32 lane = w.firstLane; lane < p.lanes; lane += w.laneStep) {
        KERNEL_MARK("qkv");
        queryKeyValuePhase(p, w, stream, layer, lane, token);
    }
    for (u32 lane = w.firstLane; lane < p.lanes; lane += w.laneStep) {
        KERNEL_MARK("attention");
        attend(p, w, layer, lane, position);
    }
    for (u32 lane = w.firstLane; lane < p.lanes; lane += w.laneStep) {
        KERNEL_MARK("output");
        outputPhase(p, w, stream, layer, lane);
    }
    if (layer > 0) {
        sumForLater(p, w, moduleFfn, layer - 1);
    }
    sumPresent(p, w, moduleAttention, layer);
    for (u32 lane = w.firstLane; lane < p.lanes; lane += w.laneStep) {
        KERNEL_MARK("gate_up");
        gateUpPhase(p, w, stream, layer, lane);
    }
    for (u32 lane = w.firstLane; lane < p.lanes; lane += w.laneStep) {
        KERNEL_MARK("down");
        downPhase(p, w, stream, layer, lane);
    }
    sumForLater(p, w, moduleAttention, layer);
}

/// Brings the residual streams up to date after the last layer and, where the head reads all lanes, publishes the lanes'
/// shares and their sum.
DEV void aggregateLanes(const Parameters &p, Worker &w) {
    const PackedMatrix &m = p.matrices[matrixHead];
    const bool normed = p.headInput == headMeanOfNorms;
    for (u32 lane = w.firstLane; lane < p.lanes; lane += w.laneStep) {
        const u32 phase = w.phase;
        stageResidual(p, w, m, residualOf(p, w, lane), updateAfter(p, moduleFfn, p.layers - 1, lane),
                      normed ? normWeights(p, p.finalNorm, 0, lane) : 0);
        barrier();
        const float scale = normed ? normScale(p, phase) * p.laneScale : 1.0f;
        const u32 begin = p.hidden * w.member / p.members, end = p.hidden * (w.member + 1) / p.members;
        for (u32 i = begin + threadIndex(); i < end; i += workgroupThreads) {
            const u32 wave = i / (m.waveChunks * 8), index = i % (m.waveChunks * 8);
            publish(p.headLanes, lane * p.hidden + i, scale * *shared(stageOffset(p, m, wave, index)), w.tag);
        }
        barrier();
        w.phase++;
    }
    if (w.wave == workgroupWaves - 1) {
        sumLanes(p, w, waitHeadInput, p.layers, p.headLanes, p.headSum);
    }
}

/// Multiplies this workgroup's rows of the head with the staged input; logits go to `row` of the wanted ones, or into
/// the thread's choice.
DEV void multiplyHead(const Parameters &p, Worker &w, WeightStream &stream, bool normed, u32 part, u32 firstToken, u32 position, u32 row,
                      Choice &choice) {
    const PackedMatrix &m = p.matrices[matrixHead];
    const u32 first = part * m.memberRows, count = memberRowCount(m, m.laneRows, part);
    const u32 phase = w.phase;
    multiply(p, w, m, stream, [&](u32 block, u32 rows, u32 partials) {
        const u32 at = block + threadIndex();
        if (threadIndex() < rows && at < count) {
            const float logit = (normed ? normScale(p, phase) : 1.0f) * rowSum(partials, threadIndex());
            const u32 token = firstToken + first + at;
            if (row != ~0u) {
                global<float>(p.logitsOut)[static_cast<u64>(row) * p.vocabulary + token] = logit;
            } else {
                admitLogit(p, choice, position + 1, token, logit);
            }
        }
    });
}

/// The head: this workgroup's choice among its rows, or the position's logits in `row` of the wanted ones.
DEV Choice headPhase(const Parameters &p, Worker &w, WeightStream &stream, u32 position, u32 row) {
    const PackedMatrix &m = p.matrices[matrixHead];
    Choice choice = noChoice();
    sumPresent(p, w, moduleFfn, p.layers - 1);
    if (p.headInput == headOwnLane) {
        for (u32 lane = w.firstLane; lane < p.lanes; lane += w.laneStep) {
            stageResidual(p, w, m, residualOf(p, w, lane), updateAfter(p, moduleFfn, p.layers - 1, lane),
                          normWeights(p, p.finalNorm, 0, lane));
            multiplyHead(p, w, stream, true, w.member, lane * m.laneRows, position, row, choice);
        }
    } else {
        aggregateLanes(p, w);
        const bool normed = p.headInput == headSumOfLanes;
        stageVector(p, w, m, waitHeadInput, p.layers, p.headSum, normed ? p.finalNorm : 0);
        multiplyHead(p, w, stream, normed, w.group, 0, position, row, choice);
    }
    return workgroupChoice(w, p.scratchOffset, choice);
}

} // namespace monokernel::kernel
