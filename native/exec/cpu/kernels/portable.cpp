#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace monokernel::cpu {
namespace portable {
namespace {
#include "exec/cpu/kernels/kernel_table.inc.h"
} // namespace
} // namespace portable

constinit const Kernels portableKernels = portable::table;

} // namespace monokernel::cpu
