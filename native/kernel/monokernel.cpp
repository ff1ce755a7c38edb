// The monokernel: a whole request - prefill, decode, head, sampling, stop check - in one launch.

#include "step.h"

namespace monokernel::kernel {

/// Roles come from a ticket, counted on each die of the device where it has several: neighbours in role are neighbours
/// in silicon. False if the workgroups are not spread evenly over the dies.
DEV bool takeRole(Arguments &p, Worker &w) {
    SHARED u32 *box = (SHARED u32 *)shared(p.sumsOffset);
    const u32 xcc = p.xccs > 1 ? xccIndex() : 0, share = p.workgroups / p.xccs;
    if (threadIndex() == 0) {
        *box = takeTicket(global<u32>(p.tickets) + xcc * 32) - p.launch * share;
    }
    barrier();
    const u32 ticket = uniform(*box);
    barrier();
    w.group = xcc * share + ticket;
    const bool alone =
        p.workgroups >= p.lanes; // each workgroup serves one lane: neighbours share it if dies are told apart
    w.member = !alone ? 0 : p.xccs > 1 ? w.group % p.members : w.group / p.lanes;
    w.firstLane = !alone ? w.group : p.xccs > 1 ? w.group / p.members : w.group % p.lanes;
    w.laneStep = alone ? p.lanes : p.workgroups;
    w.wave = waveIndex();
    w.lane = laneIndex();
    w.tag = opaqueLane(p.tagBase);
    w.block = 0;
    w.phase = 0;
    w.failed = 0;
    return ticket < share && xcc < p.xccs;
}

/// True in all waves of the workgroup if a wait has failed in one of them.
DEV bool anyFailed(Arguments &p, const Worker &w) {
    SHARED float *flags = shared(p.sumsOffset);
    barrier();
    if (w.lane == 0) {
        flags[w.wave] = w.failed != 0 ? 1.0f : 0.0f;
    }
    rejoin();
    barrier();
    float failed = 0.0f;
#pragma unroll
    for (u32 i = 0; i < workgroupWaves; i++) {
        failed += flags[i];
    }
    barrier();
    return any(failed != 0.0f);
}

/// This lane's of the waveLanes stop tokens from `first` on; anything where there are none.
DEV u32 stopTokenOfLane(Arguments &p, u32 first) {
    return p.stopCount == 0 ? 0 : global<const u32>(p.stopTokens)[minimum(first + laneIndex(), p.stopCount - 1)];
}

/// `own` is stopTokenOfLane of the first ones, which has been asked for before there was a token.
DEV bool isStopToken(Arguments &p, u32 own, u32 token) {
    bool found = p.stopCount != 0 && own == token;
    for (u32 i = waveLanes; i < p.stopCount; i += waveLanes) {
        found |= stopTokenOfLane(p, i) == token;
    }
    return any(found);
}

struct Progress {
    Parked generated, stop;
};

/// What the whole grid does with the step's choice: gives the token to the host or ends the request.
DEV void decide(Arguments &p, const Worker &w, const Choice &choice, u32 ownStop, Progress &progress) {
    const float logProbability = choice.logit - choice.top - naturalLog(choice.sum);
    const u32 token = uniform(choice.token);
    if (any(logProbability < p.sampler.minLogProbability)) {
        progress.stop = stopMinProbability;
        return;
    }
    if (isStopToken(p, ownStop, token)) {
        progress.stop = stopToken;
        return;
    }
    if (p.device == 0 && w.group == 0 && threadIndex() == 0) {
        GLOBAL u64 *entry = global<u64>(p.ring) + 2 * progress.generated;
        systemStore(entry, taggedWord(token, p.tagBase));
        systemStore(entry + 1, taggedWord(logProbability, p.tagBase));
    }
    rejoin();
    progress.generated += 1;
    if (progress.generated >= p.maxTokens) {
        progress.stop = stopMaxTokens;
    }
}

DEV void writeResult(Arguments &all, const Worker &w, const Progress &progress, u32 position) {
    Arguments &p = *refresh(&all);
    if (w.group != 0 || threadIndex() != 0) {
        return;
    }
    GLOBAL u32 *result = global<u32>(p.result);
    const u32 prompt = minimum(position, p.promptLength);
    systemStore(result, progress.stop);
    systemStore(result + 1, progress.generated);
    systemStore(result + 2, position);
    systemStore(result + 3, prompt - p.firstPosition);
    systemRelease();
    systemStore(result + 4, p.tagBase);
}

/// Holds a lane back until an earlier one has its queries, keys and values of the first layer. In step, all lanes read
/// memory at once and wait at once; apart, some read while others wait. A workgroup looks at the last row of the one
/// that has the same rows of that lane.
DEV void awaitTurn(Arguments &p, Worker &w) {
    if (w.firstLane >= p.turnLanes) {
        auto &&m = matrixArguments(p, matrixQkv);
        const u32 row = minimum((w.member + 1) * m.memberRows, m.laneRows) - 1;
        const u64 words = edgeWords(p, p.queryKeyValue, 0, w.firstLane - p.turnLanes, m.laneRows);
        u32 value[1];
        collectWords(p, w, waitQueryKeyValue, 0, value, [&](u32) INLINED { return global<const u64>(words) + row; });
    }
    rejoin();
}

DEV void runRequest(Arguments &all, Worker &w) {
    WeightStream stream;
    stream.begin(all, w, all.firstPosition);
    Progress progress{Parked(0), Parked(stopRunning)};
    Parked position(all.firstPosition);
    Parked token(uniform(global<const u32>(all.tokens)[position])), cancel(cancelNothing);
    while (progress.stop == stopRunning) {
        Arguments &p = *refresh(&all);
        const u32 row =
            uniform(p.wanted != 0 ? global<const u32>(p.wanted)[minimum(position, p.promptLength - 1)] : ~0u);
        const u32 count = stepTokens(p, position);
        if (count <= 1) {
            awaitTurn(p, w);
        }
        const Step step{position, Parked(count), token, Parked(row)};
        Choice choice = runStep(p, w, stream, step, Parked(runsHead(p, position, count) ? 1 : 0));
        choice.cancel = cancel != cancelNothing ? 1 : 0;
        position = opaque(position); // what was computed of it before the step is computed again after it
        release();                   // the cache, before the summary that lets others go on to read it
        barrier();
        Arguments &q = *refresh(&all);
        publishSummary(q, w, choice);
        // The host's word, for the next step: now nobody waits for this workgroup. Measured when all its waves read it
        // at a step's start, across PCIe and one after the other: its lane was 6 us behind the others.
        u32 word = cancelNothing;
        if (w.group == 0 && w.wave == 0) {
            word = systemLoad(global<const u32>(q.cancel));
        }
        const u32 ownStop = stopTokenOfLane(q, 0); // likewise asked for while others are waited for
        choice = collectSummaries(q, w);
        cancel = uniform(word);
        position += step.count;
        const bool last = position >= q.promptLength;
        if (last && q.wanted == 0 && cutsCandidates(q)) {
            drawFromCandidates(q, w, position, choice);
        }
        w.tag++;
        const u32 cancelled = uniform(choice.cancel);
        if (anyFailed(q, w)) {
            progress.stop = stopFailed;
        } else if (cancelled != 0) {
            progress.stop = stopCancelled;
        } else if (!last) {
            token = uniform(global<const u32>(q.tokens)[position]);
        } else if (q.wanted != 0) {
            progress.stop = stopLogitsDone;
        } else {
            decide(q, w, choice, ownStop, progress);
            token = uniform(choice.token);
        }
    }
    stream.end(all);
    writeResult(all, w, progress, position);
}

/// The only entry point; its symbol is "monokernel".
KERNEL_ENTRY void monokernel(const Parameters parameters) {
    Arguments &p = *arguments(parameters);
    Worker w;
    if (takeRole(p, w)) {
        runRequest(p, w);
    } else if (threadIndex() == 0) {
        giveUp(p, w.group, waitPlacement, 0);
    }
}

} // namespace monokernel::kernel
