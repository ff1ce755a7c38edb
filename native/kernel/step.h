#pragma once

#include "prefill_phases.h"

// One token, or several of a prompt, through all layers: a loop over phases, each for every lane that the workgroup
// serves.

namespace monokernel::kernel {

DEV void runPhase(Arguments &p, Worker &w, WeightStream &stream, Parked phase, Parked layer, Parked lane, Step step,
                  Choice &choice) {
    renew(w);
    step = {opaque(step.position), opaque(step.count), opaque(step.token), opaque(step.row)};
    phase = opaque(phase);
    layer = opaque(layer);
    lane = opaque(lane);
    w.timeline.enter(p, w.group, w.wave, phase, layer, step.count > 1);
    either(
        phase == phaseAttention,
        [&]() INLINED {
            KERNEL_MARK("attention");
            attend(p, w, layer, lane, step);
        },
        [&]() INLINED {
            either(
                __builtin_expect(step.count > 1 && phase != phaseHead, 0),
                [&]() INLINED {
                    KERNEL_MARK("prefill");
                    runPrefillPhase(p, w, stream, phase, layer, lane, step);
                },
                [&]() INLINED { runDecodePhase(p, w, stream, phase, layer, lane, step, choice); });
        });
    w.timeline.mark(momentEnd);
}

/// From a lane of a phase to the workgroup's next: past the last one where the phase is of all lanes.
DEV u32 lanesToNext(Arguments &all, const Worker &w, u32 phase) {
    Arguments &p = *refresh(&all);
    return phase == phaseHead && p.headInput != headOwnLane ? p.lanes : u32(w.laneStep);
}

/// All phases of a step; returns this workgroup's choice of a token if the step has a head.
DEV Choice runStep(Arguments &all, Worker &w, WeightStream &stream, const Step &step, Parked head) {
    Choice choice = noChoice();
    Parked phase(step.count > 1 ? phaseNormAttention : phaseQkv), layer(0);
    while (phase <= phaseHead) {
        KERNEL_MARK("dispatch");
        Arguments &p = *refresh(&all);
        renew(w);
        // After several tokens the head is as after one, but for a lane of one's own, whose stream has been published.
        if (step.count <= 1 || (phase == phaseHead && p.headInput != headOwnLane)) {
            runSums(p, w, phase, layer);
        }
        for (Parked lane = w.firstLane; lane < refresh(&all)->lanes; lane += lanesToNext(all, w, phase)) {
            runPhase(p, w, stream, phase, layer, lane, step, choice);
        }
        Arguments &q = *refresh(&all);
        phase = nextPhase(phase, step.count > 1);
        if (phase == layerPhases) {
            layer += 1;
            phase = layer < q.layers ? u32(step.count > 1 ? phaseNormAttention : phaseQkv)
                    : head == 0      ? phaseHead + 1
                    : q.headInput == headOwnLane && step.count <= 1 ? phaseHead
                                                                    : phaseAggregate;
        }
    }
    return head != 0 ? workgroupChoice(w, refresh(&all)->scratchOffset, choice) : choice;
}

} // namespace monokernel::kernel
