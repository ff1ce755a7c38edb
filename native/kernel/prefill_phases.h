#pragma once

#include "decode_phases.h"

// The phases of a prefill step: several tokens together, so that the weights are read once for all of them. A token's
// residual stream and norm are one workgroup's work, as are its new key and value, and the merging of its attention;
// the matrix products read what those publish.

namespace monokernel::kernel {

/// What `module` of layer `made` adds to a lane's residual stream, from the lanes' outputs, in the decode step's order.
DEV void addedByLanes(Arguments &p, Worker &w, u32 module, u32 made, u32 lane, u32 token,
                      const u32 (&index)[batchPairs], float (&x)[batchPairs], float (&y)[batchPairs]) {
    const u32 reduction = reductionOf(p, made), own = p.firstLane + lane;
    const auto outputs = [&](u32 layer, u32 from, float(&a)[batchPairs], float(&b)[batchPairs]) INLINED {
        const u64 words = prefillPartialWords(p, layer, module, from, token);
        collect(p, w, partialEdge(module), layer, a, b, [&](u32 i) INLINED { return mailbox(words, index[i]); });
    };
    if (reduction == reductionOwn) {
        outputs(made, own, x, y);
#pragma unroll
        for (u32 i = 0; i < batchPairs; i++) {
            x[i] = p.ownScale * x[i];
            y[i] = p.ownScale * y[i];
        }
        return;
    }
    const bool past = reduction == reductionPast;
#pragma unroll
    for (u32 i = 0; i < batchPairs; i++) {
        x[i] = y[i] = 0.0f;
    }
    for (u32 other = 0; other < p.allLanes; other++) {
        if (past && other == own) {
            continue;
        }
        float a[batchPairs], b[batchPairs];
        outputs(past ? made - p.broadcastDelay : made, other, a, b);
#pragma unroll
        for (u32 i = 0; i < batchPairs; i++) {
            x[i] += a[i];
            y[i] += b[i];
        }
    }
    if (past) {
        float a[batchPairs], b[batchPairs];
        outputs(made, own, a, b);
#pragma unroll
        for (u32 i = 0; i < batchPairs; i++) {
            x[i] = addRounded(a[i], x[i]);
            y[i] = addRounded(b[i], y[i]);
        }
    }
}

/// Publishes two neighbours, each as two bf16 parts in a word.
DEV void publishParts(u64 words, u32 index, float a, float b, u32 tag) {
    const SplitPair parts = splitPair(a, b);
    publishWord(global<u64>(words) + index, taggedWord(firstParts(parts), tag));
    publishWord(global<u64>(words) + index + 1, taggedWord(secondParts(parts), tag));
}

/// Brings the residual streams of this workgroup's tokens up to date and publishes a module's input.
DEV void publishNormed(Arguments &all, Worker &w, u32 module, u32 layer, u32 lane, const Step &step) {
    Arguments &p = *refresh(&all);
    auto &&m = matrixArguments(p, module == moduleAttention ? matrixQkv : matrixGateUp);
    const u64 gamma = normWeights(p, module == moduleAttention ? p.attentionNorm : p.ffnNorm, layer, lane);
    const bool first = module == moduleAttention && layer == 0;
    const u32 before = module == moduleAttention ? moduleFfn : moduleAttention, made = layer - (before == moduleFfn);
    for (u32 token = w.member; token < step.count; token += p.members) {
        const u64 residual = p.prefillResidual + (static_cast<u64>(lane) * maxPrefillTokens + token) * p.hidden * 4;
        const u64 out = prefillModuleWords(p, p.prefillNormed, layer, module, lane, token, p.hidden);
        u64 embeddingRow = 0;
        if (first) {
            const u32 id = uniform(global<const u32>(p.tokens)[step.position + token]);
            embeddingRow = p.embedding + static_cast<u64>(id) * p.hidden * 2;
        }
        const auto update = [&](const u32(&index)[batchPairs], float(&x)[batchPairs], float(&y)[batchPairs])
                                INLINED { addedByLanes(p, w, before, made, lane, token, index, x, y); };
        bringResidual<batchPairs>(p, w, m, residual, embeddingRow, gamma, update,
                                  [&](u32, u32 index, float a, float b)
                                      INLINED { publishParts(out, index, a, b, w.tag); });
        barrier();
        if (threadIndex() == 0) {
            publish(prefillModuleWords(p, p.prefillScale, layer, module, lane, token, 1), 0, normScale(p, w.phase),
                    w.tag);
        }
        w.phase += 1;
    }
}

/// Writes this workgroup's tokens' keys and values into the cache, and says so.
DEV void cacheTokens(Arguments &all, Worker &w, u32 layer, u32 lane, const Step &step) {
    Arguments &p = *refresh(&all);
    const u32 rows = (p.laneHeads + 2 * p.laneKvHeads) * p.headDim;
    for (u32 unit = w.member; unit < step.count * p.laneKvHeads; unit += p.members) {
        const u32 token = quotient(unit, p.kvHeadsDivisor), kvHead = unit - token * p.laneKvHeads;
        const u32 position = step.position + token;
        const u64 heads = prefillWords(p, p.prefillQueryKeyValue, layer, lane, token, rows);
        for (u32 v = w.wave; v < 2; v += workgroupWaves) {
            stageHead(p, w, layer, lane, heads, p.laneHeads + v * p.laneKvHeads + kvHead, position, scratchVector(p, v),
                      v == 0 ? vectorKey : vectorValue);
        }
        barrier();
        writeCache(p, cacheHead(p, layer, lane, kvHead), position, scratchVector(p, 0), scratchVector(p, 1));
        release();
        barrier();
        if (threadIndex() == 0) {
            publish(prefillWords(p, p.prefillCached, layer, lane, token, p.laneKvHeads), kvHead, 0.0f, w.tag);
        }
    }
}

/// Merges the chunks of this workgroup's tokens' attention.
DEV void mergeTokens(Arguments &all, Worker &w, u32 layer, u32 lane, const Step &step) {
    Arguments &p = *refresh(&all);
    auto &&m = matrixArguments(p, matrixOutput);
    if (w.wave >= depthWaves(m)) { // these bring what others bring too
        return;
    }
    const u32 chunkWords = p.laneHeads * p.chunks * (p.headDim + 2);
    for (u32 token = w.member; token < step.count; token += p.members) {
        const u64 out = prefillWords(p, p.prefillHeads, layer, lane, token, p.laneHeads * p.headDim);
        bringAttention(p, w, m, layer, prefillWords(p, p.prefillAttention, layer, lane, token, chunkWords),
                       [&](u32, u32 index, float a, float b) INLINED { publishParts(out, index, a, b, w.tag); });
    }
}

/// A matrix phase's input and output.
struct Product {
    u64 input, output, scale; ///< scale: 0 where the input is as it should be
    u32 edge;
};

DEV Product productOf(Arguments &p, u32 phase, u32 layer, u32 lane) {
    const u32 headWidth = p.laneHeads * p.headDim;
    switch (phase) {
    case phaseQkv:
        return {prefillModuleWords(p, p.prefillNormed, layer, moduleAttention, lane, 0, p.hidden),
                prefillWords(p, p.prefillQueryKeyValue, layer, lane, 0, headWidth + 2 * p.laneKvHeads * p.headDim),
                prefillModuleWords(p, p.prefillScale, layer, moduleAttention, lane, 0, 1), waitNormed};
    case phaseOutput:
        return {prefillWords(p, p.prefillHeads, layer, lane, 0, headWidth),
                prefillPartialWords(p, layer, moduleAttention, p.firstLane + lane, 0), 0, waitAttention};
    case phaseGateUp:
        return {prefillModuleWords(p, p.prefillNormed, layer, moduleFfn, lane, 0, p.hidden),
                prefillWords(p, p.prefillActivation, layer, lane, 0, p.laneFfn),
                prefillModuleWords(p, p.prefillScale, layer, moduleFfn, lane, 0, 1), waitNormed};
    default:
        return {prefillWords(p, p.prefillActivation, layer, lane, 0, p.laneFfn),
                prefillPartialWords(p, layer, moduleFfn, p.firstLane + lane, 0), 0, waitActivation};
    }
}

/// What becomes of a run of rows of all tokens: they are published, gate and up rows as their activation.
template <class Sums>
DEV void finishTokens(Arguments &p, Worker &w, MatrixArguments &m, const Product &product, u32 phase, u32 layer,
                      u32 count, u32 begin, u32 rows, Sums sums) {
    const u32 first = w.member * m.memberRows, width = phase == phaseGateUp ? 2 : 1;
    const u32 exist = first >= m.laneRows ? 0 : minimum(m.memberRows, m.laneRows - first);
    const u32 units = (rows + width - 1) / width; // pairs of gate and up, or rows
    for (u32 base = 0; base < units * count; base += workgroupThreads) {
        const u32 unit = base + threadIndex(), token = minimum(unit / units, count - 1), row = unit % units * width;
        float scale = 1.0f;
        if (product.scale != 0) {
            u32 bits[1];
            collectWords(p, w, waitNormed, layer, bits,
                         [&](u32) INLINED { return global<const u64>(product.scale) + token; });
            scale = asFloat(bits[0]);
        }
        if (unit >= units * count || begin + row >= exist) {
            continue;
        }
        const float value = scale * sums(row, token);
        const u32 at = first + begin + row;
        if (phase == phaseGateUp) {
            const float up = scale * sums(row + 1, token);
            publishWord(global<u64>(product.output) + token * p.laneFfn + (at >> 1),
                        taggedWord(firstParts(splitPair(siluTimes(value, up), 0.0f)), w.tag));
        } else if (phase == phaseQkv) {
            publish(product.output, token * m.laneRows + at, value, w.tag);
        } else {
            publishToAll(p, product.output, token * m.laneRows + at, value, w.tag);
        }
    }
}

/// A matrix phase.
DEV void multiplyPhase(Arguments &all, Worker &w, WeightStream &stream, u32 phase, u32 layer, u32 lane,
                       const Step &step) {
    Arguments &p = *refresh(&all);
    auto &&m = matrixArguments(p, matrixOf(phase));
    const Product product = productOf(p, phase, layer, lane);
    withRowBlocks(m, [&](auto rowBlocks) INLINED {
        multiplyTokens<rowBlocks.count>(p, w, m, stream, product.input, product.edge, layer, step.count,
                                        [&](u32 begin, u32 rows, auto sums) INLINED {
                                            finishTokens(p, w, m, product, phase, layer, step.count, begin, rows, sums);
                                        });
    });
}

/// A phase of a prefill step other than attention.
DEV void runPrefillPhase(Arguments &p, Worker &w, WeightStream &stream, u32 phase, u32 layer, u32 lane,
                         const Step &step) {
    phase = opaque(phase);
    constexpr u32 products = 1 << phaseQkv | 1 << phaseOutput | 1 << phaseGateUp | 1 << phaseDown;
    either((products >> phase & 1) != 0, [&]() INLINED { multiplyPhase(p, w, stream, phase, layer, lane, step); },
           [&]() INLINED {
               if (phase == phaseNormAttention || phase == phaseNormFfn) {
                   publishNormed(p, w, phase == phaseNormAttention ? moduleAttention : moduleFfn, layer, lane, step);
               } else if (phase == phaseCache) {
                   cacheTokens(p, w, layer, lane, step);
               } else {
                   mergeTokens(p, w, layer, lane, step);
               }
           });
}

} // namespace monokernel::kernel
