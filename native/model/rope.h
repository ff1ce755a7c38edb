#pragma once

#include "model/config_file.h"
#include "model/model_spec.h"

namespace monokernel {

/// Sets `spec.ropeInverseFrequency` and `spec.ropeScale` from a configuration's `rope_theta` and `rope_scaling` (or, in
/// newer files, `rope_parameters`). Known kinds: default, linear, llama3, yarn; ModelError configUnsupported for
/// others. `spec.headDim` and `spec.maxPositions` must be set.
void readRope(const ConfigObject &config, ModelSpec &spec);

} // namespace monokernel
