#pragma once

#include "parameters.h"

namespace monokernel::kernel {

/// The phases of a layer in order, then the two of the head. Those that hand over what a decode step's workgroups each
/// make for themselves are a prefill step's only.
enum Phase : u32 {
    phaseNormAttention,
    phaseQkv,
    phaseCache,
    phaseAttention,
    phaseMerge,
    phaseOutput,
    phaseNormFfn,
    phaseGateUp,
    phaseDown,
    phaseAggregate,
    phaseHead
};
constexpr u32 layerPhases = phaseAggregate;

} // namespace monokernel::kernel
