#pragma once

#include "model/config_file.h"
#include "model/model_spec.h"

namespace monokernel {

/// Reads what is particular to laneformer_tp (also named laneformer): lanes, delay, windows, head. The dimensions that
/// all families have are already in `spec`. Throws ModelError.
void readLaneformer(const ConfigObject &config, ModelSpec &spec);

/// Likewise for llama, qwen2 and qwen3 (`spec.family` says which): biases, q/k norm, windows; what is not supported.
void readPlainTransformer(const ConfigObject &config, ModelSpec &spec);

} // namespace monokernel
