#pragma once

#include "exec/gpu/driver.h"
#include "exec/gpu/kernel_target.h"
#include "kernel/parameters.h"
#include "model/model_spec.h"

namespace monokernel {

/// Which workgroup does what: fills in how many there are and share a lane, over how many of them a KV head's cache is
/// split, and how the weight matrices are cut for them. `parameters` already has the model's shape and its lanes. What
/// the order of sums depends on does not depend on the number of devices.
void describeGrid(kernel::Parameters &parameters, const GpuDevice &device, const KernelTarget &target,
                  const ModelSpec &spec);

} // namespace monokernel
