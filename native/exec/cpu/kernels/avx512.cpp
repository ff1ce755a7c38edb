#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#include <immintrin.h>

namespace monokernel::cpu {
namespace avx512 {
namespace {
#include "exec/cpu/kernels/kernel_table.inc.h"
} // namespace
} // namespace avx512

constinit const Kernels avx512Kernels = avx512::table;

} // namespace monokernel::cpu
