#pragma once

#include "exec/cpu/cpu_topology.h"

#include <cstdint>

namespace monokernel::cpu {

/// Whether decode steps that read `bytesPerToken` of int8 weights should ask for them ahead of time
/// (MatrixProduct::asksAhead) rather than leave it to the processor's own prefetch. No result depends on it.
bool asksForWeightsAhead(const CpuTopology &topology, uint64_t bytesPerToken);

} // namespace monokernel::cpu
