#pragma once

#include "model/model.h"
#include "model/safetensors_folder.h"

namespace monokernel {

/// The tensors of a whole model by role.
struct ModelTensors {
    TensorView embedding, finalNorm, head;
    std::vector<LayerTensors> layers;
};

/// Finds every tensor that `spec` needs under its family's names, with the shapes that LayerTensors and Model promise.
/// Throws ModelError tensorMissing, tensorShape, tensorType.
ModelTensors findTensors(const SafetensorsFolder &files, const ModelSpec &spec);

} // namespace monokernel
