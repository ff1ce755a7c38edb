#pragma once

#include <cstddef>
#include <cstdint>

/// The interface between the executor and its kernels: plain structures and function pointers, one table an instruction
/// set. Kernel sources include nothing else: an inline function of the standard library, compiled there with AVX-512,
/// could be the copy that the linker keeps for the whole program.
namespace monokernel::cpu {

/// Rows of a weight matrix (or positions of a key chunk) that one vector holds.
constexpr uint32_t blockRows = 16;
/// Most blocks that are interleaved into one panel.
constexpr uint32_t panelBlocks = 4;
/// Rows of a full panel.
constexpr uint32_t panelRows = blockRows * panelBlocks;
/// Tokens of KV cache that are attended as one unit: partial results are merged in chunk order, whoever made them.
constexpr uint32_t chunkPositions = 64;
/// Depth of a panel that is expanded to f32 at a time when many tokens use it: 64 rows x 128 x 4 bytes fill a 32 KiB
/// L1.
constexpr uint32_t expandedDepth = 128;

/// Elements along the depth that share a scale in int8 weights, and groups that share one in the activations they are
/// multiplied with.
constexpr uint32_t groupDepth = 32;
constexpr uint32_t runGroups = 4;
constexpr uint32_t runDepth = runGroups * groupDepth;

constexpr size_t roundUp(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// How the elements of a panel lie. A line is 64 bytes a block; a panel is lines[depth / line depth][block].
enum class WeightFormat : uint8_t {
    bf16, ///< 16 words of 32 bits: row r's element k in the low half, k + 1 in the high half
    f16,  ///< element k of the 16 rows, then element k + 1 of the 16 rows
    f32,  ///< element k of the 16 rows
    int8, ///< for each two groups a line of scales (bf16, as above), then 8 lines a group: 16 words of 4 elements, each
          ///< stored as its value (-127..127) + 128
};

/// How a row of keys, values or queries of one position lies in the cache and on its way to it.
enum class CacheFormat : uint8_t {
    f32,
    int16, ///< a scale (f32), then whole numbers in -4095..4095; in the cache pairs along the depth share 32 bits
};

/// Elements of the depth in a line; of int8 in a line that is not of scales.
constexpr uint32_t lineDepth(WeightFormat format) {
    return format == WeightFormat::int8 ? 4 : format == WeightFormat::f32 ? 1 : 2;
}

/// Lines of `groups` groups of int8 weights.
constexpr size_t quantizedLines(size_t groups) { return groups * (groupDepth / 4) + (groups + 1) / 2; }

/// Bytes of a panel of `blocks` blocks.
constexpr size_t panelBytes(WeightFormat format, uint32_t blocks, uint32_t depth) {
    const size_t lines = format == WeightFormat::int8 ? quantizedLines(roundUp(depth, groupDepth) / groupDepth)
                                                      : roundUp(depth, lineDepth(format)) / lineDepth(format);
    return lines * blocks * 64;
}

/// A group of activations: values * scale.
struct QuantizedGroup {
    int8_t values[groupDepth];
    float scale;        ///< of the whole run
    int32_t correction; ///< -128 times the sum of the values, because weights are stored with 128 added
};

/// Rows of activations in the form that multiply() takes for a weight format: f32, pairs of bf16, or quantised groups.
struct Operand {
    const void *rows;
    size_t stride; ///< bytes
};

/// Bytes from row to row of what prepare() writes: the most that any form takes, whole groups and whole pairs, and not
/// a power of two, so that rows do not fall into the same part of the cache.
constexpr size_t operandStride(uint32_t depth) {
    return (roundUp(depth, groupDepth) / groupDepth * 2 + 1) * sizeof(QuantizedGroup);
}

/// y[t][r] = sum over k of W[r][k] x[t][k], for the blocks * 16 rows of one panel. Each sum is one chain in ascending k
/// (of f32 FMAs; of dot instructions on pairs; of tiles of 32 elements; of f32 sums of exact groups), so that its bits
/// do not depend on how many tokens and rows are in flight, nor, where it is not of dots or tiles, on the instruction
/// set.
struct MatrixProduct {
    WeightFormat format;
    uint32_t blocks; ///< 1..4
    uint32_t depth;
    uint32_t tokens;
    const void *panel; ///< 64-byte aligned
    Operand x;         ///< [tokens], from prepare() with the same format and depth
    float *y;          ///< [tokens, yStride]
    size_t yStride;
    float *scratch; ///< panelRows * expandedDepth floats, 64-byte aligned; used from 7 tokens on
    bool asksAhead; ///< whether a single token asks for int8 weights ahead of time, in the kernels with BF16 dots
};

/// One chunk of keys and values against rows of queries, merged into each row's running state. A row is one query head
/// of one token; row r belongs to token r / rowsPerToken.
struct AttentionChunk {
    const std::byte *keys;    ///< a panel in Kernels::cacheFormat: 4 blocks of 16 positions, along headDim
    const std::byte *values;  ///< as keys, valueWidth / 16 blocks of the head's elements, along chunkPositions
    const float *keyScales;   ///< of each position, if the format has them
    const float *valueScales; ///< likewise
    uint32_t headDim;
    uint32_t valueWidth;   ///< headDim rounded up to 16
    uint32_t rows;         ///< query rows
    uint32_t rowsPerToken; ///< query heads that share the keys
    uint32_t chunkStart;   ///< position of keys[0]
    uint32_t firstToken;   ///< position of row 0's token
    uint32_t window;       ///< 0: none
    const float *queries;  ///< [rows, queryStride] in the cache's format, already divided by sqrt(headDim)
    size_t queryStride;
    float *state; ///< [rows, attentionStateWidth(valueWidth)]
    /// What is attended next: several rows ask for it while they attend this. Null: nothing, or nothing is known.
    const std::byte *following;
    size_t followingBytes;
};

/// Floats of one row's softmax state: the weighted sum of values, then the maximum and the sum of the weights.
constexpr uint32_t attentionStateWidth(uint32_t valueWidth) { return valueWidth + blockRows; }

/// What the sampler needs of a run of logits, made by whoever computed them while they are in its cache.
struct LogitSummary {
    float maximum;
    uint32_t best;        ///< index of the first maximum
    float weight;         ///< sum of exp(logit - maximum)
    float temperedWeight; ///< sum of exp((logit - maximum) / temperature), if temperature > 0
    float noisyMaximum;   ///< maximum of logit / temperature + Gumbel noise, if temperature > 0
    uint32_t noisyBest;
};

/// What the noise of a step depends on.
struct SamplingKey {
    float temperature;
    uint64_t seed;
    uint32_t position;
};

struct Kernels {
    /// f32, or int16 where matrix products round more than that rounds.
    CacheFormat cacheFormat;
    /// A query, key or value of `width` elements, a multiple of 16, as a row of that format, in at most width floats.
    void (*toCache)(const float *x, uint32_t width, void *out);

    /// The rows x[begin..end, xStride], zero from `depth` up to a multiple of 16, as multiply() takes them for weights
    /// of `format`: x itself, or what is written to `out`, end * operandStride(depth) bytes. The operand begins with
    /// row 0, so that rows may be prepared in parts.
    Operand (*prepare)(WeightFormat format, uint32_t depth, const float *x, size_t xStride, uint32_t begin,
                       uint32_t end, void *out);
    void (*multiply)(const MatrixProduct &product);

    /// out = rmsnorm(x) * weight over `size` elements; x, weight and out are zero up to a multiple of 16.
    void (*rmsNorm)(const float *x, const float *weight, uint32_t size, float epsilon, float *out);
    /// x += scale * (terms[0] + terms[1] + ...), in that order, over `size` elements (a multiple of 16).
    void (*addTerms)(float *x, const float *const *terms, uint32_t termCount, float scale, uint32_t size);
    /// out = scale * (terms[0] + terms[1] + ...).
    void (*sumTerms)(float *out, const float *const *terms, uint32_t termCount, float scale, uint32_t size);
    /// out = silu(gate) * up, `size` a multiple of 16.
    void (*gatedUnit)(const float *gate, const float *up, float *out, uint32_t size);

    /// Rotates `pairs` pairs of `head` by the angles of these cosines and sines and multiplies them with `scale`. Pairs
    /// are elements 2i and 2i + 1 (`neighbours`), or i and pairs + i.
    void (*rotate)(float *head, const float *cosine, const float *sine, uint32_t pairs, bool neighbours, float scale);

    void (*attendChunk)(const AttentionChunk &chunk);
    /// Merges the state of a later chunk into that of the earlier ones.
    void (*mergeState)(float *state, const float *later, uint32_t valueWidth);
    /// out[headDim] = the finished head.
    void (*finishState)(const float *state, uint32_t valueWidth, uint32_t headDim, float *out);

    /// Summary of the first `count` of panelRows floats, the logits of the tokens from `firstToken` on; the indices in
    /// it are token ids.
    LogitSummary (*summarize)(const float *logits, uint32_t count, uint32_t firstToken, const SamplingKey &key);
    /// exp of each element, the same arithmetic as everywhere else; `size` a multiple of 16.
    void (*exponential)(const float *x, float *out, uint32_t size);
    /// logit / temperature + Gumbel noise of each of `count` tokens.
    void (*addNoise)(const float *logits, const uint32_t *tokens, uint32_t count, const SamplingKey &key, float *out);
};

extern const Kernels portableKernels;
#ifdef MONOKERNEL_X86
extern const Kernels avx2Kernels;
extern const Kernels avxVnniKernels;
extern const Kernels avx512Kernels;
extern const Kernels avx512VnniKernels;
extern const Kernels avx512Bf16Kernels;
extern const Kernels amxKernels;
#endif

} // namespace monokernel::cpu
