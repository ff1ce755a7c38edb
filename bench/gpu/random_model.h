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
// Of Qwen2.5's 0.5B, 1.5B, 3B and 7B, without biases.
constexpr Shape qwen05B{896, 24, 14, 2, 4864, 151936, 0, 0, 4096, true, false};
constexpr Shape qwen15B{1536, 28, 12, 2, 8960, 151936, 0, 0, 4096, true, false};
constexpr Shape qwen3B{2048, 36, 16, 2, 11008, 151936, 0, 0, 4096, true, false};
constexpr Shape qwen7B{3584, 28, 28, 4, 18944, 152064, 0, 0, 4096, false, false};
// Of Llama 3.2's 1B and 3B and of 3.1's 8B.
constexpr Shape llama1B{2048, 16, 32, 8, 8192, 128256, 0, 0, 4096, true, false};
constexpr Shape llama3B{3072, 28, 24, 8, 8192, 128256, 0, 0, 4096, true, false};
constexpr Shape llama8B{4096, 32, 32, 8, 14336, 128256, 0, 0, 4096, false, false};

constexpr auto shapes = std::to_array<std::pair<const char *, Shape>>({{"2B", shape2B},
                                                                       {"nano", shapeNano},
                                                                       {"0.5B", qwen05B},
                                                                       {"1.5B", qwen15B},
                                                                       {"3B", qwen3B},
                                                                       {"7B", qwen7B},
                                                                       {"llama1B", llama1B},
                                                                       {"llama3B", llama3B},
                                                                       {"llama8B", llama8B}});

/// The names of the shapes, each after a blank.
inline std::string shapeNames() {
    std::string names;
    for (const auto &[name, shape] : shapes) {
        names += std::string(" ") + name;
    }
    return names;
}

/// Writes a model folder of that shape: config.json and a sparse weights file whose norms are 1 and whose matrices are
/// holes, for withRandomWeights to fill.
void writeModel(const std::filesystem::path &folder, const Shape &shape);

/// A driver that uploads random bf16 values in place of the packed matrices and the embedding, whatever the model's
/// file says; all else goes through. `weightBytes` and `embedding` are offsets in the first allocation.
std::unique_ptr<monokernel::GpuDriver> withRandomWeights(std::unique_ptr<monokernel::GpuDriver> driver,
                                                         uint64_t weightBytes, uint64_t embeddingBegin,
                                                         uint64_t embeddingEnd);

} // namespace bench
