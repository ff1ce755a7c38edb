#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#include <immintrin.h>

namespace monokernel::cpu {
namespace avx2 {
namespace {
#include "exec/cpu/kernels/kernel_table.inc.h"
} // namespace
} // namespace avx2

constinit const Kernels avx2Kernels = avx2::table;

} // namespace monokernel::cpu
