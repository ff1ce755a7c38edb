#pragma once

#include "decode_phases.h"

// The phases of a prefill step: several tokens together, so that the weights are read once for all of them. A token's
// residual stream and norm are one workgroup's work, as are its new key and value, and the merging of its attention;
// the matrix products read what those publish.

namespace monokernel::kernel {

constexpr u32 laneQuads = 1; ///< times four elements for which a hardware lane waits for all lanes' outputs at once

/// What `module` of layer `made` adds to a lane's residual stream, from the lanes' outputs, in the decode step's order:
/// its own comes last where the others' are delayed.
template <u32 quads>
DEV void addedByLanes(Arguments &p, Worker &w, u32 module, u32 made, u32 lane, u32 token, const u32 (&index)[quads],
                      f32x4 (&x)[quads]) {
    const u32 reduction = reductionOf(p, made), own = p.firstLane + lane;
    const auto packed = [](f32x4 v) INLINED { // as it comes out of the decode step's words
        return f32x4{packedValue(v[0]), packedValue(v[1]), packedValue(v[2]), packedValue(v[3])};
    };
    if (reduction == reductionOwn) {
        const u64 words = prefillPartialWords(p, made, module, own, token);
        collectPacked(p, w, partialEdge(module), made, x, [&](u32 i) INLINED { return mailbox(words, index[i] >> 1); });
#pragma unroll
        for (u32 i = 0; i < quads; i++) {
            x[i] = packed(p.ownScale * x[i]);
        }
        return;
    }
    const bool past = reduction == reductionPast;
    const u32 last = p.allLanes - 1;
#pragma unroll
    for (u32 i = 0; i < quads; i++) {
        x[i] = f32x4{};
    }
    for (u32 first = 0; first <= last; first += batchLanes) { // usually once
        f32x4 a[batchLanes * quads];
        collectPacked(p, w, partialEdge(module), made, a, [&](u32 i) INLINED {
            const u32 place = minimum(first + i / quads, last);
            const bool delayed = past && place != last;
            const u32 from = !past ? place : delayed ? place + (place >= own ? 1 : 0) : own;
            const u32 layer = delayed ? made - p.broadcastDelay : made;
            return mailbox(prefillPartialWords(p, layer, module, from, token), index[i % quads] >> 1);
        });
#pragma unroll
        for (u32 i = 0; i < batchLanes * quads; i++) {
            x[i % quads] += first + i / quads <= last ? a[i] : f32x4{};
        }
    }
#pragma unroll
    for (u32 i = 0; i < quads; i++) {
        x[i] = packed(x[i]);
    }
}

/// Where element `index` of a product's input has its leading part; what that leaves lies a piece on.
DEV u64 inputElement(u64 vector, u32 index) { return vector + (index >> 3) * (2 * pieceBytes) + (index & 7) * 2; }

/// Stores four neighbours of a product's input, at a multiple of four.
DEV void storeInputQuad(u64 vector, u32 index, f32x4 values) {
    const SplitPair low = splitPair(values[0], values[1]), high = splitPair(values[2], values[3]);
    const u64 at = inputElement(vector, index);
    deviceStore(global<u64>(at), static_cast<u64>(high.leading) << 32 | low.leading);
    deviceStore(global<u64>(at + pieceBytes), static_cast<u64>(high.remainder) << 32 | low.remainder);
}
/// Stores one element.
DEV void storeInput(u64 vector, u32 index, float value) {
    const SplitPair parts = splitPair(value, 0.0f);
    const u64 at = inputElement(vector, index);
    deviceStore(global<u16>(at), static_cast<u16>(parts.leading));
    deviceStore(global<u16>(at + pieceBytes), static_cast<u16>(parts.remainder));
}

/// Says that this wave's part of a token's vector is there. Whole-wave.
DEV void publishReady(Arguments &p, const Worker &w, u64 edge, u32 layer, u32 lane, u32 token) {
    release();
    waveSync();
    if (w.lane == 0) {
        publish(readyWords(p, edge, layer, lane, w.wave), token, 0.0f, w.tag);
    }
    rejoin();
}

/// Brings the residual streams of this workgroup's tokens up to date and publishes a module's input; past the last
/// layer the last token's alone, as the lane's contribution to the head's input.
DEV void publishNormed(Arguments &all, Worker &w, u32 module, u32 layer, u32 lane, const Step &step) {
    Arguments &p = *refresh(&all);
    const bool forHead = layer == p.layers;
    // Flags that outlive the loop's turns. Raw: the head norms its lane's stream by itself.
    const Parked head(forHead ? 1 : 0), raw(forHead && p.headInput == headOwnLane ? 1 : 0);
    auto &&m = matrixArguments(p, forHead ? matrixHead : module == moduleAttention ? matrixQkv : matrixGateUp);
    u64 gamma = normWeights(p, module == moduleAttention ? p.attentionNorm : p.ffnNorm, layer, lane);
    if (forHead) {
        gamma = p.headInput == headMeanOfNorms ? normWeights(p, p.finalNorm, 0, lane) : 0;
    }
    const bool first = module == moduleAttention && layer == 0;
    const u32 before = module == moduleAttention ? moduleFfn : moduleAttention, made = layer - (before == moduleFfn);
    for (u32 token = w.member; token < step.count; token += p.members) {
        if (head != 0 && token + 1 < step.count) {
            continue;
        }
        const u64 residual = p.prefillResidual + (static_cast<u64>(lane) * maxPrefillTokens + token) * p.hidden * 4;
        const u64 out = inputVector(p, p.prefillNormed, 2 * layer + module, lane, token, p.hidden);
        u64 embeddingRow = 0;
        if (first) {
            const u32 id = uniform(global<const u32>(p.tokens)[step.position + token]);
            embeddingRow = p.embedding + static_cast<u64>(id) * p.hidden * 2;
        }
        const auto update = [&](const auto &index, auto &x)
                                INLINED { addedByLanes(p, w, before, made, lane, token, index, x); };
        bringResidual<laneQuads>(p, w, m, residual, embeddingRow, gamma, update,
                                 [&](u32 local, u32 index, f32x4 values) INLINED {
                                     if (raw != 0) {
#pragma unroll
                                         for (u32 n = 0; n < 4; n++) {
                                             publish(headWords(p, lane), index + n, values[n], w.tag);
                                         }
                                     } else if (head != 0) {
                                         stageQuad(m, w.wave, local, values);
                                     } else {
                                         storeInputQuad(out, index, values);
                                     }
                                 });
        if (head == 0) {
            publishReady(p, w, p.normedReady, 2 * layer + module, lane, token);
        }
        if (head != 0 && raw == 0) {
            publishShare(p, w, m, lane, 0, p.hidden);
            continue;
        }
        barrier();
        if (threadIndex() == 0 && head == 0) {
            publish(prefillModuleWords(p, p.prefillScale, layer, module, lane, token, 1), 0, normScale(p, w.phase),
                    w.tag);
        }
        rejoin();
        w.phase += 1;
    }
}

/// A key head's token, of the step's `unit`-th.
struct CacheUnit {
    u32 token, kvHead;
    DEV_MEMBER CacheUnit(Arguments &p, u32 unit)
        : token(quotient(unit, p.kvHeadsDivisor)), kvHead(unit - token * p.laneKvHeads) {}
};

/// Writes this workgroup's tokens' keys and values into the cache, and says so: each wave brings one of them.
DEV void cacheTokens(Arguments &all, Worker &w, u32 layer, u32 lane, const Step &step) {
    constexpr u32 atOnce = workgroupWaves / 2;
    const auto units = [&]() INLINED { return step.count * refresh(&all)->laneKvHeads; };
    for (Parked first = w.member; first < units(); first += refresh(&all)->members * atOnce) {
        Arguments &p = *refresh(&all);
        const u32 brought = first + (w.wave >> 1) * p.members;
        if (brought < units()) {
            const CacheUnit unit(p, brought);
            const u32 rows = (p.laneHeads + 2 * p.laneKvHeads) * p.headDim, value = w.wave & 1;
            stageHead(p, w, layer, lane, prefillWords(p, p.prefillQueryKeyValue, layer, lane, unit.token, rows),
                      p.laneHeads + value * p.laneKvHeads + unit.kvHead, step.position + unit.token,
                      scratchVector(p, w.wave), value != 0 ? vectorValue : vectorKey);
        }
        barrier();
        for (Parked i(0), written = first; i < atOnce && written < units(); i += 1, written += refresh(&all)->members) {
            Arguments &q = *refresh(&all);
            const CacheUnit unit(q, written);
            writeCache(q, cacheHead(q, layer, lane, unit.kvHead), step.position + unit.token, scratchVector(q, 2 * i),
                       scratchVector(q, 2 * i + 1));
        }
        release();
        barrier();
        Arguments &q = *refresh(&all);
        const u32 written = first + threadIndex() * q.members;
        if (threadIndex() < atOnce && written < units()) {
            const CacheUnit unit(q, written);
            publish(prefillWords(q, q.prefillCached, layer, lane, unit.token, q.laneKvHeads), unit.kvHead, 0.0f, w.tag);
        }
        rejoin();
    }
}

/// Merges the chunks of this workgroup's tokens' attention.
DEV void mergeTokens(Arguments &all, Worker &w, u32 layer, u32 lane, const Step &step) {
    Arguments &p = *refresh(&all);
    auto &&m = matrixArguments(p, matrixOutput);
    if (w.wave >= depthWaves(m)) { // these bring what others bring too
        return;
    }
    for (u32 token = w.member; token < step.count; token += p.members) {
        const u64 out = inputVector(p, p.prefillHeads, layer, lane, token, p.laneHeads * p.headDim);
        bringAttention(p, w, m, layer, prefillWords(p, p.prefillAttention, layer, lane, token, attentionWords(p)),
                       [&](u32, u32 index, f32x4 values) INLINED { storeInputQuad(out, index, values); });
        publishReady(p, w, p.headsReady, layer, lane, token);
    }
}

/// A matrix phase's input and output.
struct Product {
    u64 input, output, scale; ///< scale: 0 where the input is as it should be
    u64 ready;                ///< of the workgroups where they make an element each, else of the waves
    u32 edge;
};

DEV Product productOf(Arguments &p, u32 phase, u32 layer, u32 lane) {
    const u32 headWidth = p.laneHeads * p.headDim;
    switch (phase) {
    case phaseQkv:
        return {inputVector(p, p.prefillNormed, 2 * layer + moduleAttention, lane, 0, p.hidden),
                prefillWords(p, p.prefillQueryKeyValue, layer, lane, 0, headWidth + 2 * p.laneKvHeads * p.headDim),
                prefillModuleWords(p, p.prefillScale, layer, moduleAttention, lane, 0, 1),
                readyWords(p, p.normedReady, 2 * layer + moduleAttention, lane, 0), waitNormed};
    case phaseOutput:
        return {inputVector(p, p.prefillHeads, layer, lane, 0, headWidth),
                prefillPartialWords(p, layer, moduleAttention, p.firstLane + lane, 0), 0,
                readyWords(p, p.headsReady, layer, lane, 0), waitAttention};
    case phaseGateUp:
        return {inputVector(p, p.prefillNormed, 2 * layer + moduleFfn, lane, 0, p.hidden),
                inputVector(p, p.prefillActivation, layer, lane, 0, p.laneFfn),
                prefillModuleWords(p, p.prefillScale, layer, moduleFfn, lane, 0, 1),
                readyWords(p, p.normedReady, 2 * layer + moduleFfn, lane, 0), waitNormed};
    default:
        return {inputVector(p, p.prefillActivation, layer, lane, 0, p.laneFfn),
                prefillPartialWords(p, layer, moduleFfn, p.firstLane + lane, 0), 0,
                edgeWords(p, p.activationReady, layer, lane, p.members), waitActivation};
    }
}

/// A token's 1 / rms, in shared memory, where attention has its weights.
DEV SHARED float *tokenScale(Arguments &p, u32 token) { return shared(p.sumsOffset + 2 * workgroupWaves + token); }

/// One wave brings all of them; a barrier must follow.
DEV void stageScales(Arguments &p, Worker &w, const Product &product, u32 layer, u32 count) {
    if (product.scale == 0 || w.wave != 0) {
        return;
    }
    u32 bits[1];
    collectWords(p, w, waitNormed, layer, bits,
                 [&](u32) INLINED { return global<const u64>(product.scale) + minimum(w.lane, count - 1); });
    if (w.lane < count) {
        *tokenScale(p, w.lane) = asFloat(bits[0]);
    }
    rejoin();
}

/// What becomes of a run of rows of all tokens: they are published, gate and up rows as their activation. Each wave has
/// tokens of its own and each of its lanes rows, so that neighbours write to neighbours.
template <class Sums>
DEV void finishTokens(Arguments &p, Worker &w, MatrixArguments &m, const Product &product, u32 phase, u32 count,
                      u32 begin, u32 rows, Sums sums) {
    const u32 first = w.member * m.memberRows, width = phase == phaseQkv ? 1 : 2; // rows a lane
    const u32 exist = first >= m.laneRows ? 0 : minimum(m.memberRows, m.laneRows - first);
    const u32 end = begin >= exist ? 0 : minimum(rows, exist - begin);
    for (u32 token = w.wave; token < count; token += workgroupWaves) {
        const float scale = product.scale != 0 ? *tokenScale(p, token) : 1.0f;
        for (u32 row = width * w.lane; row < end; row += width * waveLanes) {
            const float value = scale * sums(row, token);
            const u32 at = first + begin + row;
            if (phase == phaseQkv) {
                publish(product.output, token * m.laneRows + at, value, w.tag);
                continue;
            }
            const float second = scale * sums(row + 1, token);
            if (phase == phaseGateUp) {
                storeInput(product.output + static_cast<u64>(token) * inputBytes(p.laneFfn), at >> 1,
                           packedValue(siluTimes(value, second)));
            } else {
                storeToAll(p, product.output, (token * m.laneRows + at) >> 1, packedWord(value, second, w.tag));
            }
        }
        rejoin();
    }
}

/// Waits until this wave's part of the tokens' vectors is there. Whole-wave.
DEV void awaitInput(Arguments &p, Worker &w, MatrixArguments &m, const Product &product, u32 phase, u32 layer,
                    u32 count) {
    const Slice slice = sliceOf(m, w.wave);
    u32 first = depthPart(m, w.wave) * maxPrefillTokens, last = first + count - 1;
    if (phase == phaseDown) {
        first = quotient(minimum(slice.begin, m.depth - 1), p.activationsDivisor);
        last = quotient(minimum(slice.begin + slice.count, m.depth) - 1, p.activationsDivisor);
    }
    for (u32 flag = first; flag <= last; flag += waveLanes) { // usually once
        u32 seen[1];
        collectWords(p, w, product.edge, layer, seen,
                     [&](u32) INLINED { return global<const u64>(product.ready) + minimum(flag + w.lane, last); });
    }
    waveSync();
    acquire();
}

/// Says that the workgroup's activations are there.
DEV void publishActivation(Arguments &p, const Worker &w, u32 layer, u32 lane) {
    release();
    barrier();
    if (threadIndex() == 0) {
        publish(edgeWords(p, p.activationReady, layer, lane, p.members), w.member, 0.0f, w.tag);
    }
    rejoin();
}

/// A matrix phase.
DEV void multiplyPhase(Arguments &all, Worker &w, WeightStream &stream, u32 phase, u32 layer, u32 lane,
                       const Step &step) {
    Arguments &p = *refresh(&all);
    auto &&m = matrixArguments(p, matrixOf(phase));
    const Product product = productOf(p, phase, layer, lane);
    stageScales(p, w, product, layer, step.count);
    awaitInput(p, w, m, product, phase, layer, step.count);
    w.timeline.mark(momentInput);
    withRowBlocks(m, [&](auto rowBlocks) INLINED {
        multiplyTokens<rowBlocks.count>(p, w, m, stream, product.input, step.count,
                                        [&](u32 begin, u32 rows, auto sums) INLINED {
                                            finishTokens(p, w, m, product, phase, step.count, begin, rows, sums);
                                        });
    });
    if (phase == phaseGateUp) {
        publishActivation(p, w, layer, lane);
    }
}

/// A phase of a prefill step other than attention.
DEV void runPrefillPhase(Arguments &p, Worker &w, WeightStream &stream, u32 phase, u32 layer, u32 lane,
                         const Step &step) {
    phase = opaque(phase);
    layer = opaque(layer);
    lane = opaque(lane);
    constexpr u32 products = 1 << phaseQkv | 1 << phaseOutput | 1 << phaseGateUp | 1 << phaseDown;
    either((products >> phase & 1) != 0, [&]() INLINED { multiplyPhase(p, w, stream, phase, layer, lane, step); },
           [&]() INLINED {
               if (phase == phaseNormAttention || phase == phaseNormFfn || phase == phaseAggregate) {
                   publishNormed(p, w, phase == phaseNormFfn ? moduleFfn : moduleAttention, layer, lane, step);
               } else if (phase == phaseCache) {
                   cacheTokens(p, w, layer, lane, step);
               } else {
                   mergeTokens(p, w, layer, lane, step);
               }
           });
}

} // namespace monokernel::kernel
