#include "device.h"

// Each matrix instruction over raw lane registers; matrix_test.cpp lays out the operands and checks the product.

using s16x4 = short __attribute__((ext_vector_type(4)));
using f16x4 = _Float16 __attribute__((ext_vector_type(4)));
using f32x4 = float __attribute__((ext_vector_type(4)));
using f32x16 = float __attribute__((ext_vector_type(16)));

KERNEL void matrix(const Arguments p) {
    const u32 l = lane();
    // A lane's operands: 2 dwords of A, 2 of B; results from the lane's 16 dwords on.
    GLOBAL const u32x2 *in = global<const u32x2>(p.input);
    const u32x2 a = in[l], b = in[64 + l];
    GLOBAL float *out = global<float>(p.output) + 16 * l;
    f32x4 c{1, 2, 3, 4};
    f32x16 wide{};
    switch (p.operation) {
    case 0: c = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(__builtin_bit_cast(s16x4, a), __builtin_bit_cast(s16x4, b), c, 0, 0, 0); break;
    case 1: c = __builtin_amdgcn_mfma_f32_16x16x16f16(__builtin_bit_cast(f16x4, a), __builtin_bit_cast(f16x4, b), c, 0, 0, 0); break;
    case 2: c = __builtin_amdgcn_mfma_f32_4x4x4bf16_1k(__builtin_bit_cast(s16x4, a), __builtin_bit_cast(s16x4, b), c, 0, 0, 0); break;
    case 3: c = __builtin_amdgcn_mfma_f32_16x16x4f32(__builtin_bit_cast(float, a.x), __builtin_bit_cast(float, b.x), c, 0, 0, 0); break;
    case 4: wide = __builtin_amdgcn_mfma_f32_32x32x8bf16_1k(__builtin_bit_cast(s16x4, a), __builtin_bit_cast(s16x4, b), wide, 0, 0, 0); break;
    default: wide = __builtin_amdgcn_mfma_f32_32x32x2f32(__builtin_bit_cast(float, a.x), __builtin_bit_cast(float, b.x), wide, 0, 0, 0); break;
    }
    for (int i = 0; i < 16; i++) {
        out[i] = p.operation >= 4 ? wide[i] : i < 4 ? c[i] : 0;
    }
}
