#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#include <immintrin.h>

namespace monokernel::cpu {
namespace avxvnni {
namespace {
#include "exec/cpu/kernels/kernel_table.inc.h"
} // namespace
} // namespace avxvnni

constinit const Kernels avxVnniKernels = avxvnni::table;

} // namespace monokernel::cpu
