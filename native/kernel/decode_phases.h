#pragma once

#include "attention.h"
#include "candidate_cut.h"
#include "lane_sum.h"
#include "phases.h"

// The phases of a decode step: one token, whose input every workgroup makes for itself.

namespace monokernel::kernel {

/// The sum over lanes that belongs before a phase of a decode step, or before the head, by one wave of each workgroup.
DEV void runSums(Arguments &all, Worker &w, u32 phase, u32 layer) {
    Arguments &p = *refresh(&all);
    phase = opaque(phase);
    layer = opaque(layer);
    if (w.wave != workgroupWaves - 1 || p.allLanes == 1) {
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
    phase = opaque(phase);
    const bool brought = phase == phaseHead && step.count > 1; // a prefill step has published the head's input
    if (readsResidual(p, phase) && !brought) {
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
        const auto update = [&](const auto &index, auto &x) INLINED {
            collectPacked(p, w, from.edge, made, x,
                          [&](u32 i) INLINED { return global<const u64>(from.words) + (index[i] >> 1); });
        };
        withQuads<batchQuads>(sliceOf(m, w.wave), [&](auto quads) INLINED {
            bringResidual<quads.count>(p, w, m, residualOf(p, w, lane), embeddingRow, gamma, update,
                                       [&](u32 local, u32, f32x4 values)
                                           INLINED { stageQuad(m, w.wave, local, values); });
        });
    } else if (phase == phaseOutput) {
        bringAttention(p, w, m, layer, edgeWords(p, p.attention, layer, lane, attentionWords(p)),
                       [&](u32 local, u32, f32x4 values) INLINED { stageQuad(m, w.wave, local, values); });
    } else if (phase == phaseHead && p.headInput == headOwnLane) {
        stageTagged(p, w, m, waitHeadInput, layer, headWords(p, lane), normWeights(p, p.finalNorm, 0, lane));
    } else {
        const bool down = phase == phaseDown;
        stageVector(p, w, m, down ? waitActivation : waitHeadInput, layer,
                    down ? activationWords(p, layer, lane) : p.headSum,
                    down || p.headInput == headMeanOfNorms ? 0 : normWeights(p, p.finalNorm, 0, 0));
    }
    stageZeros(m, w);
    waveSync();
}

/// Publishes elements [begin, end) of a lane's contribution to the head's input, which are staged.
DEV void publishShare(Arguments &p, Worker &w, MatrixArguments &m, u32 lane, u32 begin, u32 end) {
    barrier();
    const float scale = p.headInput == headMeanOfNorms ? normScale(p, w.phase) * p.laneScale : 1.0f;
    for (u32 i = begin + threadIndex(); i < end; i += workgroupThreads) {
        const u32 wave = i / (m.waveChunks * 8), index = i % (m.waveChunks * 8);
        publishToAll(p, headWords(p, lane), i, scale * stagedValue(m, wave, index), w.tag);
    }
    rejoin();
    barrier();
    w.phase += 1;
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

/// A logit of this thread's, if it `exists`: wanted by the host, or a candidate for the next token.
DEV void finishLogit(Arguments &p, const Worker &w, const Step &step, u32 token, float value, bool exists,
                     Choice &choice) {
    if (step.row != ~0u) {
        if (exists) {
            systemStore(global<u32>(atFirstDevice(p, p.logitsOut)) + static_cast<u64>(step.row) * p.vocabulary + token,
                        asBits(value));
        }
        rejoin();
        return;
    }
    if (exists) {
        admitLogit(p, choice, step.position + step.count, token, value);
    }
    rejoin();
    if (cutsCandidates(p)) {
        if (exists) {
            systemStore(global<u64>(atFirstDevice(p, p.logits)) + token, taggedWord(value, w.tag));
        }
        rejoin();
    }
}

/// What becomes of a block of rows, one a thread: they are published (gate and up rows, which alternate, as their
/// activation), or they are logits.
DEV void finishRows(Arguments &all, Worker &w, MatrixArguments &matrix, u32 phase, u32 layer, u32 lane,
                    const Step &step, u32 block, u32 rows, u32 partials, const DelayedWords &early, Choice &choice) {
    Arguments &p = *refresh(&all);
    MatrixArguments &m = *refresh(&matrix);
    renew(w);
    phase = opaque(phase);
    layer = opaque(layer);
    lane = opaque(lane);
    const bool shared = phase == phaseHead && p.headInput != headOwnLane;
    const u32 first = (shared ? p.device * p.workgroups + w.group : w.member) * m.memberRows;
    const u32 count = first >= m.laneRows ? 0 : minimum(m.memberRows, m.laneRows - first);
    float others = 0.0f;
    if (addsOthers(p, phase, layer) && (block > 0 || !sumDelayed(p, w, early, p.firstLane + lane, others))) {
        others = delayedOthers(p, w, moduleOf(phase), layer, p.firstLane + lane, rowOfThread(p, w, m, block));
    }
    const u32 width = phase == phaseGateUp ? 2 : 1; // rows a thread
    const u32 row = block + width * threadIndex();
    const bool own = width * threadIndex() < rows && row < count;
    const bool normed = readsResidual(p, phase) || (phase == phaseHead && p.headInput == headSumOfLanes);
    const float scale = normed ? normScale(p, w.phase) : 1.0f;
    // What lies past the rows may be anything; a thread without a row takes the first.
    const float value = scale * rowSum(m, partials, own ? width * threadIndex() : 0);
    if (phase == phaseHead) {
        const u32 token = (p.headInput == headOwnLane ? (p.firstLane + lane) * m.laneRows : 0) + first + row;
        finishLogit(p, w, step, token, value, own && token < p.vocabulary, choice); // the last lane's may have fewer
    } else if (phase == phaseGateUp) {
        const float up = scale * rowSum(m, partials, own ? 2 * threadIndex() + 1 : 0);
        const u64 words = activationWords(p, layer, lane);
        packNeighbours((first + row) >> 1, siluTimes(value, up), own, w.tag,
                       [&](u32 index, u64 word) INLINED { publishWord(global<u64>(words) + index, word); });
    } else if (phase == phaseQkv) {
        if (own) {
            publish(edgeWords(p, p.queryKeyValue, layer, lane, m.laneRows), first + row, value, w.tag);
        }
    } else {
        const u32 module = moduleOf(phase), reduction = reductionOf(p, layer);
        const float output = packedValue(value); // as all lanes get it
        if (reduction != reductionPresent) {
            const u64 words = updateWords(p, module, layer, lane);
            const float update = reduction == reductionPast ? addRounded(output, others) : p.ownScale * output;
            packNeighbours(first + row, update, own, w.tag,
                           [&](u32 index, u64 word) INLINED { publishWord(global<u64>(words) + index, word); });
        }
        if (p.allLanes > 1 && own) {
            publishToAll(p, partialWords(p, module, layer, p.firstLane + lane), first + row, output, w.tag);
        }
        rejoin();
    }
}

/// A matrix phase, or the one that brings a lane's share of the head's input.
DEV void runDecodePhase(Arguments &all, Worker &w, WeightStream &stream, u32 phase, u32 layer, u32 lane,
                        const Step &step, Choice &choice) {
    Arguments &p = *refresh(&all);
    phase = opaque(phase);
    KERNEL_MARK("stage");
    if (phase == phaseOutput) { // waits long for its input, and the next attention is far enough
        const bool last = layer + 1 == p.layers;
        prefetchCache(p, w, last ? 0 : layer + 1, lane, step.position + (last ? 1 : 0));
    }
    auto &&m = matrixArguments(p, matrixOf(phase)); // a copy where indexing arguments is costly
    DelayedWords early{};
    if (addsOthers(p, phase, layer)) {
        askDelayed(p, early, moduleOf(phase), layer, rowOfThread(p, w, m, 0));
    }
    stageInput(p, w, m, phase, layer, lane, step);
    w.timeline.mark(momentInput);
    either(
        phase == phaseAggregate,
        [&]() INLINED {
            publishShare(p, w, m, lane, p.hidden * w.member / p.members, p.hidden * (w.member + 1) / p.members);
        },
        [&]() INLINED {
            KERNEL_MARK("multiply");
            multiplyToken(p, w, m, stream, [&](u32 first, u32 rows, u32 partials) INLINED {
                finishRows(p, w, m, phase, layer, lane, step, first, rows, partials, early, choice);
            });
        });
}

} // namespace monokernel::kernel
