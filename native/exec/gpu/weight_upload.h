#pragma once

#include "exec/gpu/gpu_shard.h"

#include <functional>

namespace monokernel {

/// Packs what the shard's lanes need of the model's tensors and copies it to its device. `progress` gets 0..1. Throws
/// ExecutionError when a weight matrix is not bf16 and would lose precision as bf16.
void uploadWeights(GpuShard &shard, const GpuLayout &layout, const Model &model,
                   const std::function<void(double)> &progress);

} // namespace monokernel
