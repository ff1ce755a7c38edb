#pragma once

#include "phase_order.h"

namespace monokernel::kernel {

/// What a wave notes of a phase: it begins; its input has been brought (or, for attention, staged); it has multiplied
/// (attended); it is done with the phase. 0 where there is nothing to note.
enum Moment : u32 { momentBegin, momentInput, momentMultiplied, momentEnd, momentCount };

constexpr u32 noteStalled = momentCount; ///< after the moments: ticks that the products waited for weights
constexpr u32 phaseNotes = noteStalled + 1;

constexpr u32 timelinePhases = phaseHead + 1; ///< of a layer; the head's are noted as one more layer's

/// Number of a wave's phase: [wave of the grid][decode, prefill][layers + 1][phases].
constexpr u64 timelinePlace(u32 layers, u32 wave, u32 prefill, u32 layer, u32 phase) {
    return ((static_cast<u64>(wave) * 2 + prefill) * (layers + 1) + layer) * timelinePhases + phase;
}

} // namespace monokernel::kernel
