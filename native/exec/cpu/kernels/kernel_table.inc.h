// All kernels, for the including source's instruction set: included inside a namespace of that source's own.

// clang-format off: each builds on the ones before.
#include "exec/cpu/kernels/vector.inc.h"
#include "exec/cpu/kernels/matrix.inc.h"
#include "exec/cpu/kernels/bf16_dot.inc.h"
#include "exec/cpu/kernels/amx_tiles.inc.h"
#include "exec/cpu/kernels/int8.inc.h"
#include "exec/cpu/kernels/amx_int8.inc.h"
#include "exec/cpu/kernels/multiply.inc.h"
#include "exec/cpu/kernels/elementwise.inc.h"
#include "exec/cpu/kernels/attention.inc.h"
#include "exec/cpu/kernels/sampling.inc.h"
// clang-format on

constexpr Kernels table = {
    .cacheFormat = cacheFormat,
    .toCache = toCache,
    .prepare = prepare,
    .multiply = multiply,
    .rmsNorm = rmsNorm,
    .addTerms = addTerms,
    .sumTerms = sumTerms,
    .gatedUnit = gatedUnit,
    .rotate = rotate,
    .attendChunk = attendChunk,
    .mergeState = mergeState,
    .finishState = finishState,
    .summarize = summarize,
    .exponential = exponential,
    .addNoise = addNoise,
};
