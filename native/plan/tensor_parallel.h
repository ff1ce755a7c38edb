#pragma once

#include "model/model_spec.h"

namespace monokernel {

/// A plain transformer seen as one with `ways` lanes, each with its share of the heads, of the feed-forward rows and of
/// the vocabulary, whose outputs are summed in every layer: tensor parallelism. Its tokens are the plain model's but
/// for the order of sums. `spec` itself if `ways` is 1 or it has lanes already. Throws std::invalid_argument naming
/// what cannot be shared out evenly.
ModelSpec tensorParallel(const ModelSpec &spec, uint32_t ways);

} // namespace monokernel
