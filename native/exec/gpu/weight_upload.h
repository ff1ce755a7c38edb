#pragma once

#include "exec/gpu/driver.h"
#include "exec/gpu/gpu_layout.h"

#include <functional>

namespace monokernel {

/// Packs the model's tensors and copies them to the device; `layout` holds addresses. `progress` gets 0..1. Throws
/// ExecutionError when a weight matrix is not bf16 and would lose precision as bf16.
void uploadWeights(GpuDriver &driver, const GpuLayout &layout, const Model &model,
                   const std::function<void(double)> &progress);

} // namespace monokernel
