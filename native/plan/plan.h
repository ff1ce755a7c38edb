#pragma once

#include "model/model_spec.h"

#include <cstdint>
#include <string>
#include <vector>

namespace monokernel {

enum class PhaseKind : uint8_t { embed, qkv, attention, attentionOutput, gateUp, down, head, sample };

/// What travels between phases. Widths are floats a token over all lanes.
enum class EdgeKind : uint8_t {
    token,            ///< the sampled token
    embedding,        ///< the token's embedding row, with which every lane's residual stream begins
    queryKeyValue,    ///< q, k, v after bias, q/k norm and RoPE
    attention,        ///< heads' outputs, merged over KV chunks
    attentionPartial, ///< each lane's output projection, [lanes, hidden]
    activation,       ///< silu(gate) * up, [lanes, ffn / lanes]
    ffnPartial,       ///< each lane's down projection, [lanes, hidden]
    logits,           ///< [vocabulary]
};

struct Edge {
    EdgeKind kind;
    uint16_t layer;
    uint32_t width;
    /// For people and error messages, for example "layer 3 attentionPartial".
    std::string name() const;
};

/// One phase of a step; executors run all phases in order, each worker its own rows.
struct Phase {
    PhaseKind kind;
    uint16_t layer;  ///< 0 for embed, head and sample
    uint16_t lanes;  ///< lanes that have such rows: the model's, or 1 for embed, a replicated head, and sample
    uint32_t rows;   ///< output rows a lane (qkv: q, k and v rows together; gateUp: gate and up rows together)
    uint32_t depth;  ///< inner dimension of each row (embed: 1; attention: head_dim; sample: the vocabulary)
    uint32_t window; ///< attention only: sliding window in tokens, 0 for none
    uint16_t reads;  ///< index of the edge it waits for
    uint16_t writes; ///< index of the edge it produces
};

/// The ordered phases of one step and the edges between them: the same for every executor and every step width (decode:
/// one token, prefill: a chunk).
struct Plan {
    ModelSpec spec;
    std::vector<Phase> phases;
    std::vector<Edge> edges;
};

Plan makePlan(const ModelSpec &spec);

} // namespace monokernel
