#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace monokernel::cpu {
namespace portable {
namespace {
// clang-format off: each builds on the ones before.
#include "exec/cpu/kernels/vector.inc.h"
#include "exec/cpu/kernels/matrix.inc.h"
#include "exec/cpu/kernels/elementwise.inc.h"
#include "exec/cpu/kernels/attention.inc.h"
#include "exec/cpu/kernels/sampling.inc.h"
// clang-format on
} // namespace
} // namespace portable

constinit const Kernels portableKernels = {
    .multiply = portable::multiply,
    .rmsNorm = portable::rmsNorm,
    .addTerms = portable::addTerms,
    .sumTerms = portable::sumTerms,
    .gatedUnit = portable::gatedUnit,
    .attendChunk = portable::attendChunk,
    .mergeState = portable::mergeState,
    .finishState = portable::finishState,
    .summarize = portable::summarize,
    .exponential = portable::exponential,
    .addNoise = portable::addNoise,
};

} // namespace monokernel::cpu
