#pragma once

#include "attention.h"
#include "candidate_cut.h"
#include "lane_sum.h"

// One token through all layers: a loop over phases, each phase for every lane that the workgroup serves.

namespace monokernel::kernel {

/// The phases of a layer in order, then the two of the head.
enum Phase : u32 { phaseQkv, phaseAttention, phaseOutput, phaseGateUp, phaseDown, phaseAggregate, phaseHead };
constexpr u32 layerPhases = phaseAggregate;

/// Where a step stands, uniform over the grid.
struct Step {
    u32 token, position;
    u32 row; ///< of the wanted logits, or ~0 to choose a token
};

DEV u64 residualOf(Arguments &p, const Worker &w, u32 lane) {
    return p.residual + (static_cast<u64>(lane) * p.members + w.member) * p.hidden * 4;
}
DEV u64 normWeights(Arguments &p, u64 norms, u32 layer, u32 lane) {
    const u32 index = p.perLaneNorm != 0 ? layer * p.lanes + lane : layer;
    return norms + static_cast<u64>(index) * p.hidden * 4;
}
/// Address of a lane's part of an edge with `words` words a lane and layer.
DEV u64 edgeWords(Arguments &p, u64 edge, u32 layer, u32 lane, u32 words) {
    return edge + (static_cast<u64>(layer) * p.lanes + lane) * words * 8;
}

DEV u32 matrixOf(u32 phase) {
    switch (phase) {
    case phaseQkv:
        return matrixQkv;
    case phaseOutput:
        return matrixOutput;
    case phaseGateUp:
        return matrixGateUp;
    case phaseDown:
        return matrixDown;
    default:
        return matrixHead;
    }
}

/// The sum over lanes that belongs before a phase, by one wave of each workgroup.
DEV void runSums(Arguments &all, Worker &w, u32 phase, u32 layer) {
    Arguments &p = *refresh(&all);
    if (w.wave != workgroupWaves - 1 || p.lanes == 1) {
        return;
    }
    if (phase == phaseHead && p.headInput != headOwnLane) {
        sumLanes(p, w, waitHeadInput, layer, p.headLanes, p.headSum);
        return;
    }
    const bool attention = phase == phaseGateUp, ffn = (phase == phaseQkv && layer > 0) || phase > phaseDown;
    const u32 made = ffn ? layer - 1 : layer, module = ffn ? moduleFfn : moduleAttention;
    if ((attention || ffn) && reductionOf(p, made) == reductionPresent) {
        sumLanes(p, w, partialEdge(module), made, partialWords(p, module, made, 0), updateWords(p, module, made, 0));
    }
}

/// Whether a phase's input is the lane's residual stream.
DEV bool readsResidual(Arguments &p, u32 phase) {
    return phase == phaseQkv || phase == phaseGateUp || phase == phaseAggregate ||
           (phase == phaseHead && p.headInput == headOwnLane);
}

DEV void stageInput(Arguments &all, Worker &w, MatrixArguments &m, u32 phase, u32 layer, u32 lane, const Step &step) {
    Arguments &p = *refresh(&all);
    const auto stage = [&](u32 local, u32, float a, float b) { stagePair(m, w.wave, local, a, b); };
    if (readsResidual(p, phase)) {
        UpdateWords from{};
        u64 embeddingRow = 0;
        u32 made = layer;
        if (phase == phaseGateUp) {
            from = updateAfter(p, moduleAttention, layer, lane);
        } else if (layer > 0) {
            made = layer - 1;
            from = updateAfter(p, moduleFfn, made, lane);
        } else {
            embeddingRow = p.embedding + static_cast<u64>(step.token) * p.hidden * 2;
        }
        u64 gamma = normWeights(p, p.attentionNorm, layer, lane);
        if (phase == phaseGateUp) {
            gamma = normWeights(p, p.ffnNorm, layer, lane);
        } else if (phase == phaseHead || p.headInput == headMeanOfNorms) {
            gamma = phase == phaseQkv ? gamma : normWeights(p, p.finalNorm, 0, lane);
        } else if (phase == phaseAggregate) {
            gamma = 0;
        }
        const auto update = [&](const u32(&index)[batchPairs], float(&x)[batchPairs], float(&y)[batchPairs]) {
            collect(p, w, from.edge, made, x, y, [&](u32 i) { return global<const u64>(from.words) + index[i]; });
        };
        bringResidual(p, w, m, residualOf(p, w, lane), embeddingRow, gamma, update, stage);
    } else if (phase == phaseOutput) {
        bringAttention(p, w, m, layer, edgeWords(p, p.attention, layer, lane, p.laneHeads * p.chunks * (p.headDim + 2)),
                       stage);
    } else {
        const bool down = phase == phaseDown;
        const u64 words = down ? edgeWords(p, p.activation, layer, lane, p.laneFfn) : p.headSum;
        stageVector(p, w, m, down ? waitActivation : waitHeadInput, layer, words,
                    !down && p.headInput == headSumOfLanes ? p.finalNorm : 0);
    }
    stageZeros(m, w);
    waveSync();
}

/// Publishes this workgroup's share of a lane's contribution to the head's input.
DEV void publishShare(Arguments &p, Worker &w, MatrixArguments &m, u32 lane) {
    barrier();
    const float scale = p.headInput == headMeanOfNorms ? normScale(p, w.phase) * p.laneScale : 1.0f;
    const u32 begin = p.hidden * w.member / p.members, end = p.hidden * (w.member + 1) / p.members;
    for (u32 i = begin + threadIndex(); i < end; i += workgroupThreads) {
        const u32 wave = i / (m.waveChunks * 8), index = i % (m.waveChunks * 8);
        publish(p.headLanes, lane * p.hidden + i, scale * stagedValue(m, wave, index), w.tag);
    }
    barrier();
    w.phase++;
}

DEV float siluTimes(float gate, float up) { return gate / (1.0f + exponential2(-log2e * gate)) * up; }

DEV u32 moduleOf(u32 phase) { return phase == phaseOutput ? moduleAttention : moduleFfn; }

/// Whether a phase's rows become a lane's update together with the other lanes' delayed outputs.
DEV bool addsOthers(Arguments &p, u32 phase, u32 layer) {
    return (phase == phaseOutput || phase == phaseDown) && reductionOf(p, layer) == reductionPast;
}

/// This thread's row of the block of rows that begins at `block`.
DEV u32 rowOfThread(Arguments &p, const Worker &w, MatrixArguments &m, u32 block) {
    return minimum(w.member * m.memberRows + block + threadIndex(), p.hidden - 1);
}

/// What becomes of a block of rows, one a thread: they are published (gate and up rows, which alternate, as their
/// activation), or they are logits.
DEV void finishRows(Arguments &all, Worker &w, MatrixArguments &m, u32 phase, u32 layer, u32 lane, const Step &step,
                    u32 block, u32 rows, u32 partials, const DelayedWords &early, Choice &choice) {
    Arguments &p = *refresh(&all);
    const u32 part = phase == phaseHead && p.headInput != headOwnLane ? w.group : w.member;
    const u32 first = part * m.memberRows;
    const u32 count = first >= m.laneRows ? 0 : minimum(m.memberRows, m.laneRows - first);
    float others = 0.0f;
    if (addsOthers(p, phase, layer) && (block > 0 || !sumDelayed(p, w, early, lane, others))) {
        others = delayedOthers(p, w, moduleOf(phase), layer, lane, rowOfThread(p, w, m, block));
    }
    const u32 width = phase == phaseGateUp ? 2 : 1; // rows a thread
    const u32 row = block + width * threadIndex();
    if (width * threadIndex() >= rows || row >= count) {
        return;
    }
    const bool normed = readsResidual(p, phase) || (phase == phaseHead && p.headInput == headSumOfLanes);
    const float scale = normed ? normScale(p, w.phase) : 1.0f;
    const float value = scale * rowSum(m, partials, width * threadIndex());
    if (phase == phaseHead) {
        const u32 token = (p.headInput == headOwnLane ? lane * m.laneRows : 0) + first + row;
        if (step.row != ~0u) {
            global<float>(p.logitsOut)[static_cast<u64>(step.row) * p.vocabulary + token] = value;
        } else {
            admitLogit(p, choice, step.position + 1, token, value);
            if (cutsCandidates(p)) {
                publish(p.logits, token, value, w.tag);
            }
        }
    } else if (phase == phaseGateUp) {
        const float up = scale * rowSum(m, partials, 2 * threadIndex() + 1);
        publish(edgeWords(p, p.activation, layer, lane, p.laneFfn), (first + row) >> 1, siluTimes(value, up), w.tag);
    } else if (phase == phaseQkv) {
        publish(edgeWords(p, p.queryKeyValue, layer, lane, m.laneRows), first + row, value, w.tag);
    } else {
        const u32 module = moduleOf(phase), reduction = reductionOf(p, layer);
        if (reduction != reductionPresent) {
            const float update = reduction == reductionPast ? addRounded(value, others) : p.ownScale * value;
            publish(updateWords(p, module, layer, lane), first + row, update, w.tag);
        }
        if (p.lanes > 1) {
            publish(partialWords(p, module, layer, lane), first + row, value, w.tag);
        }
    }
}

DEV void runPhase(Arguments &all, Worker &w, WeightStream &stream, u32 phase, u32 layer, u32 lane, const Step &step,
                  Choice &choice) {
    Arguments &p = *refresh(&all);
    if (phase == phaseAttention) {
        KERNEL_MARK("attention");
        attend(p, w, layer, lane, step.position);
        return;
    }
    KERNEL_MARK("stage");
    if (phase == phaseQkv) {
        prefetchCache(p, w, layer, lane, step.position);
    }
    auto &&m = matrixArguments(p, matrixOf(phase)); // a copy where indexing arguments is costly
    DelayedWords early{};
    if (addsOthers(p, phase, layer)) {
        askDelayed(p, early, moduleOf(phase), layer, rowOfThread(p, w, m, 0));
    }
    stageInput(p, w, m, phase, layer, lane, step);
    if (phase == phaseAggregate) {
        publishShare(p, w, m, lane);
        return;
    }
    KERNEL_MARK("multiply");
    multiplyToken(p, w, m, stream, [&](u32 first, u32 rows, u32 partials) {
        finishRows(p, w, m, phase, layer, lane, step, first, rows, partials, early, choice);
    });
}

/// All phases of a step; returns this workgroup's choice of a token if the step has a head.
DEV Choice runStep(Arguments &p, Worker &w, WeightStream &stream, const Step &step, bool head) {
    Choice choice = noChoice();
    u32 phase = phaseQkv, layer = 0;
    const u32 afterLayers = !head ? phaseHead + 1 : p.headInput == headOwnLane ? phaseHead : phaseAggregate;
    while (phase <= phaseHead) {
        KERNEL_MARK("dispatch");
        runSums(p, w, phase, layer);
        const bool once = phase == phaseHead && p.headInput != headOwnLane;
        for (u32 lane = w.firstLane; lane < p.lanes; lane += once ? p.lanes : w.laneStep) {
            runPhase(p, w, stream, phase, layer, lane, step, choice);
        }
        phase++;
        if (phase == layerPhases) {
            layer++;
            phase = layer < p.layers ? phaseQkv : afterLayers;
        }
    }
    return head ? workgroupChoice(w, p.scratchOffset, choice) : choice;
}

} // namespace monokernel::kernel
