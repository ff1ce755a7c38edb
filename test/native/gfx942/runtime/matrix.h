#pragma once

#include "runtime/wave.h"

namespace gfx942 {

enum class Element : uint8_t { bf16, f16, f32 };

struct MatrixShape {
    u32 rows, columns, depth, blocks;
    Element element;
};

/// v_mfma: D = A B + C for one wave. Addend: register `c`, or `constant` in every element when c is -1.
void multiplyMatrices(Wave &w, const MatrixShape &shape, u32 d, u32 a, u32 b, i32 c, u32 constant);

} // namespace gfx942
