#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#include <immintrin.h>

namespace monokernel::cpu {
namespace avx2 {
namespace {
// clang-format off: each builds on the ones before.
#include "exec/cpu/kernels/vector.inc.h"
#include "exec/cpu/kernels/matrix.inc.h"
#include "exec/cpu/kernels/elementwise.inc.h"
#include "exec/cpu/kernels/attention.inc.h"
#include "exec/cpu/kernels/sampling.inc.h"
// clang-format on
} // namespace
} // namespace avx2

constinit const Kernels avx2Kernels = {
    .multiply = avx2::multiply,
    .rmsNorm = avx2::rmsNorm,
    .addTerms = avx2::addTerms,
    .sumTerms = avx2::sumTerms,
    .gatedUnit = avx2::gatedUnit,
    .attendChunk = avx2::attendChunk,
    .mergeState = avx2::mergeState,
    .finishState = avx2::finishState,
    .summarize = avx2::summarize,
    .exponential = avx2::exponential,
    .addNoise = avx2::addNoise,
};

} // namespace monokernel::cpu
