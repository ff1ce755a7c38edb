#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#include <immintrin.h>

namespace monokernel::cpu {
namespace avx512 {
namespace {
// clang-format off: each builds on the ones before.
#include "exec/cpu/kernels/vector.inc.h"
#include "exec/cpu/kernels/matrix.inc.h"
#include "exec/cpu/kernels/elementwise.inc.h"
#include "exec/cpu/kernels/attention.inc.h"
#include "exec/cpu/kernels/sampling.inc.h"
// clang-format on
} // namespace
} // namespace avx512

constinit const Kernels avx512Kernels = {
    .multiply = avx512::multiply,
    .rmsNorm = avx512::rmsNorm,
    .addTerms = avx512::addTerms,
    .sumTerms = avx512::sumTerms,
    .gatedUnit = avx512::gatedUnit,
    .attendChunk = avx512::attendChunk,
    .mergeState = avx512::mergeState,
    .finishState = avx512::finishState,
    .summarize = avx512::summarize,
    .exponential = avx512::exponential,
    .addNoise = avx512::addNoise,
};

} // namespace monokernel::cpu
