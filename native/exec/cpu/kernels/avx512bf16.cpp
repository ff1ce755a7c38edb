#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#include <immintrin.h>

namespace monokernel::cpu {
namespace avx512bf16 {
namespace {
#include "exec/cpu/kernels/kernel_table.inc.h"
} // namespace
} // namespace avx512bf16

constinit const Kernels avx512Bf16Kernels = avx512bf16::table;

} // namespace monokernel::cpu
