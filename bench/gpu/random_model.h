#pragma once

#include "exec/gpu/driver.h"

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace bench {

/// The dimensions of a Laneformer of 8 lanes and delay 2, or of a Llama.
struct Shape {
    uint32_t hidden, layers, heads, kvHeads, ffn, vocabulary, window, windowLayers, context;
    bool tied;              ///< the head is the embedding
    bool laneformer = true; ///< a Llama has no windows
};

constexpr Shape shape2B{3072, 15, 32, 16, 12288, 32000, 512, 10, 4096, false};
constexpr Shape shapeNano{512, 10, 8, 8, 1536, 16384, 512, 6, 2048, true};
// Of Qwen2.5's 7B and 1.5B, without biases.
constexpr Shape shape7B{3584, 28, 28, 4, 18944, 152064, 0, 0, 4096, false, false};
constexpr Shape shape1B{1536, 28, 12, 2, 8960, 151936, 0, 0, 4096, true, false};

// Of Qwen2.5's 0.5B and 3B, and of Llama 3.2's 1B, 3B and 3.1's 8B.
constexpr Shape shapeHalfB{896, 24, 14, 2, 4864, 151936, 0, 0, 4096, true, false};
constexpr Shape shape3B{2048, 36, 16, 2, 11008, 151936, 0, 0, 4096, true, false};
constexpr Shape shapeL1B{2048, 16, 32, 8, 8192, 128256, 0, 0, 4096, true, false};
constexpr Shape shapeL3B{3072, 28, 24, 8, 8192, 128256, 0, 0, 4096, true, false};
constexpr Shape shapeL8B{4096, 32, 32, 8, 14336, 128256, 0, 0, 4096, false, false};

constexpr std::array<std::pair<const char *, Shape>, 9> shapes{{{"2B", shape2B},
                                                                {"nano", shapeNano},
                                                                {"0.5B", shapeHalfB},
                                                                {"1.5B", shape1B},
                                                                {"3B", shape3B},
                                                                {"7B", shape7B},
                                                                {"L1B", shapeL1B},
                                                                {"L3B", shapeL3B},
                                                                {"L8B", shapeL8B}}};

/// Writes a model folder of that shape: config.json and a sparse weights file whose norms are 1 and whose matrices are
/// holes, for withRandomWeights to fill.
void writeModel(const std::filesystem::path &folder, const Shape &shape);

/// A driver that uploads random bf16 values in place of the packed matrices and the embedding, whatever the model's
/// file says; all else goes through. `weightBytes` and `embedding` are offsets in the first allocation.
std::unique_ptr<monokernel::GpuDriver> withRandomWeights(std::unique_ptr<monokernel::GpuDriver> driver,
                                                         uint64_t weightBytes, uint64_t embeddingBegin,
                                                         uint64_t embeddingEnd);

} // namespace bench
