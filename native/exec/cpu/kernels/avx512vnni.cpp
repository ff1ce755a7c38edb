#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#include <immintrin.h>

namespace monokernel::cpu {
namespace avx512vnni {
namespace {
#include "exec/cpu/kernels/kernel_table.inc.h"
} // namespace
} // namespace avx512vnni

constinit const Kernels avx512VnniKernels = avx512vnni::table;

} // namespace monokernel::cpu
