#pragma once

#include "exec/gpu/driver.h"

#include <filesystem>
#include <memory>
#include <string>

namespace bench {

/// Writes a Laneformer folder of the 2B shape: config.json and a sparse weights file whose norms are 1 and whose matrices
/// are holes, for RandomWeights to fill.
void writeShape2B(const std::filesystem::path &folder);

/// A driver that uploads random bf16 values in place of the packed matrices and the embedding, whatever the model's file
/// says; all else goes through. `weightBytes` and `embedding` are offsets in the first allocation.
std::unique_ptr<monokernel::GpuDriver> withRandomWeights(std::unique_ptr<monokernel::GpuDriver> driver, uint64_t weightBytes,
                                                         uint64_t embeddingBegin, uint64_t embeddingEnd);

} // namespace bench
