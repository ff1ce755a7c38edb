#pragma once

#include "model/model.h"

namespace bench {

/// Bytes of an embedding table that is not the head too: kept as it is, and a token reads one row of it.
inline uint64_t lookupBytes(const monokernel::Model &model) {
    return model.spec().tiedEmbeddings ? 0 : model.embedding().bytes.size();
}

/// Bytes of all other weights as the CPU engine keeps them, which a token reads. As int8 a bf16 weight takes 8.5 bits.
inline uint64_t matrixBytes(const monokernel::Model &model, bool int8) {
    const uint64_t stored = model.weightBytes() - lookupBytes(model);
    return int8 ? stored * 17 / 32 : stored;
}

} // namespace bench
