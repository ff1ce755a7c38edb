#pragma once

#include "prefill_phases.h"

// One token, or several of a prompt, through all layers: a loop over phases, each for every lane that the workgroup
// serves.

namespace monokernel::kernel {

DEV void runPhase(Arguments &p, Worker &w, WeightStream &stream, u32 phase, u32 layer, u32 lane, Step step,
                  Choice &choice) {
    renew(w);
    step = {opaque(step.position), opaque(step.count), opaque(step.token), opaque(step.row)};
    phase = opaque(phase);
    layer = opaque(layer);
    lane = opaque(lane);
    if (phase == phaseAttention) {
        KERNEL_MARK("attention");
        attend(p, w, layer, lane, step);
    } else if (__builtin_expect(step.count > 1, 0)) {
        KERNEL_MARK("prefill");
        runPrefillPhase(p, w, stream, phase, layer, lane, step);
    } else {
        runDecodePhase(p, w, stream, phase, layer, lane, step, choice);
    }
}

/// All phases of a step; returns this workgroup's choice of a token if the step has a head.
DEV Choice runStep(Arguments &all, Worker &w, WeightStream &stream, const Step &step, bool head) {
    Choice choice = noChoice();
    const u32 firstPhase = step.count > 1 ? phaseNormAttention : phaseQkv;
    u32 phase = firstPhase, layer = 0;
    while (phase <= phaseHead) {
        KERNEL_MARK("dispatch");
        Arguments &p = *refresh(&all);
        renew(w);
        const bool prefill = opaque(step.count) > 1;
        if (!prefill) {
            runSums(p, w, phase, layer);
        }
        const bool once = phase == phaseHead && p.headInput != headOwnLane;
        for (u32 lane = w.firstLane; lane < p.lanes; lane += once ? p.lanes : w.laneStep) {
            runPhase(p, w, stream, phase, layer, lane, step, choice);
        }
        phase = nextPhase(phase, prefill);
        if (phase == layerPhases) {
            layer++;
            phase = layer < p.layers             ? firstPhase
                    : !head                      ? phaseHead + 1
                    : p.headInput == headOwnLane ? phaseHead
                                                 : phaseAggregate;
        }
    }
    return head ? workgroupChoice(w, all.scratchOffset, choice) : choice;
}

} // namespace monokernel::kernel
