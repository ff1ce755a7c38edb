#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace monokernel {

enum class Family : uint8_t { laneformer, llama, qwen2, qwen3 };

/// Which elements of a head RoPE rotates together: (2i, 2i+1), or (i, i + head_dim/2).
enum class RopePairs : uint8_t { interleaved, halves };

/// How the lanes' residual streams become logits (only `replicate` with one lane exists for plain transformers).
enum class HeadType : uint8_t { replicate, vocabularyParallel };

/// How a layer's partial outputs enter lane l's residual stream.
enum class LaneReduction : uint8_t {
    scaledOwn, ///< sqrt(lanes) * own partial
    present,   ///< sum of all lanes' partials of this layer
    past,      ///< own partial + the other lanes' partials of `broadcastDelay` layers ago
};

/// Everything an executor must know of a model, whatever family it came from. A plain transformer is one lane with
/// reduction `present`.
struct ModelSpec {
    Family family = Family::llama;
    uint32_t vocabularySize = 0;
    uint32_t hiddenSize = 0;
    uint32_t layerCount = 0;
    uint32_t headCount = 0;
    uint32_t kvHeadCount = 0;
    uint32_t headDim = 0;
    uint32_t ffnSize = 0;
    uint32_t maxPositions = 0;
    float normEpsilon = 1e-5f;

    RopePairs ropePairs = RopePairs::halves;
    /// [headDim / 2] radians a position, any `rope_scaling` already applied.
    std::vector<float> ropeInverseFrequency;
    /// Scale of cos and sin (YaRN's attention factor); 1 for most models.
    float ropeScale = 1.0f;

    uint32_t laneCount = 1;
    uint32_t broadcastDelay = 0;
    bool useComm = true;
    bool useEarlyComm = true;
    HeadType headType = HeadType::replicate;
    /// Head input is rmsnorm(sum of lanes) instead of the mean over lanes of rmsnorm(lane).
    bool preNormLaneAggregation = false;
    /// Norm weights are [lanes, hidden] instead of [hidden].
    bool perLaneNorm = false;

    bool tiedEmbeddings = false;
    bool qkvBias = false;
    bool qkNorm = false;

    /// 0: none. Key k is seen by query q iff 0 <= q - k < slidingWindow, on the layers `window()` names.
    uint32_t slidingWindow = 0;
    int32_t slidingWindowLayers = 0;

    std::vector<int32_t> endTokens;

    /// Window of `layer` in tokens; 0 where attention sees everything.
    uint32_t window(uint32_t layer) const;
    LaneReduction reduction(uint32_t layer) const;
    uint32_t headsPerLane() const { return headCount / laneCount; }
    uint32_t kvHeadsPerLane() const { return kvHeadCount / laneCount; }
    uint32_t ffnPerLane() const { return ffnSize / laneCount; }
};

/// Reads and validates `folder`/config.json (and generation_config.json's end tokens, if there). Throws ModelError.
ModelSpec readModelSpec(const std::filesystem::path &folder);

} // namespace monokernel
