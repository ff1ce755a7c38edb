#include "exec/cpu/kernels/kernels.h"
#include "exec/sampling.h"

#include <immintrin.h>

namespace monokernel::cpu {
namespace amx {
namespace {
#include "exec/cpu/kernels/kernel_table.inc.h"
} // namespace
} // namespace amx

constinit const Kernels amxKernels = amx::table;

} // namespace monokernel::cpu
