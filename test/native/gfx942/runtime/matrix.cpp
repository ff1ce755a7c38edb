#include "runtime/matrix.h"

#include <array>
#include <bit>
#include <vector>

namespace gfx942 {

namespace {

float halfToFloat(u32 h) {
    const u32 sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
    if (exponent == 0) {
        const float size = static_cast<float>(mantissa) * 0x1p-24f;
        return sign ? -size : size;
    }
    return std::bit_cast<float>(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13);
}

/// Element `j` of those that a lane's registers hold.
float element(const Wave &w, Element kind, u32 r, u32 lane, u32 j) {
    if (kind == Element::f32) {
        return std::bit_cast<float>(w.v[r + j][lane]);
    }
    const u32 word = w.v[r + j / 2][lane], raw = j % 2 ? word >> 16 : word & 0xffff;
    return kind == Element::bf16 ? std::bit_cast<float>(raw << 16) : halfToFloat(raw);
}

/// One operand of all blocks as [block][row][k]. Lane l holds row l % rows and consecutive k from (l / rows) on; with
/// several blocks the lanes past the rows are the other blocks' (AMD matrix instruction calculator, CDNA3).
struct Operand {
    std::vector<float> values;
    std::vector<bool> rowDefined;
};

Operand gather(const Wave &w, const MatrixShape &shape, u32 rows, u32 r) {
    const u32 perLane = rows * shape.depth * shape.blocks / laneCount;
    const u32 registers = shape.element == Element::f32 ? perLane : (perLane + 1) / 2;
    Operand operand{std::vector<float>(shape.blocks * rows * shape.depth),
                    std::vector<bool>(shape.blocks * rows, true)};
    for (u32 lane = 0; lane < laneCount; lane++) {
        const u32 part = lane / rows, block = part % shape.blocks, row = block * rows + lane % rows;
        const u32 first = part / shape.blocks * perLane;
        for (u32 j = 0; j < perLane; j++) {
            operand.values[row * shape.depth + first + j] = element(w, shape.element, r, lane, j);
        }
        for (u32 k = 0; k < registers; k++) {
            operand.rowDefined[row] = operand.rowDefined[row] && (w.defined[r + k] >> lane & 1);
        }
    }
    return operand;
}

/// Row of result register `i` in `lane`: groups of four rows go round the lanes that share a column.
u32 resultRow(const MatrixShape &shape, u32 lane, u32 i) {
    const u32 groups = laneCount / shape.columns;
    const u32 within = i % (shape.rows * shape.columns / laneCount ? shape.rows * shape.columns / laneCount : 4);
    if (shape.blocks > 1 && shape.rows == 4) {
        return i;
    }
    return within / 4 * 4 * groups + lane / shape.columns * 4 + within % 4;
}

} // namespace

void multiplyMatrices(Wave &w, const MatrixShape &shape, u32 d, u32 a, u32 b, i32 c, u32 constant) {
    const Operand left = gather(w, shape, shape.rows, a), right = gather(w, shape, shape.columns, b);
    const u32 registers = shape.rows * shape.columns * shape.blocks / laneCount;
    const u32 perBlock = registers / shape.blocks;
    std::vector<std::array<float, laneCount>> result(registers);
    std::vector<u64> defined(registers, 0);
    for (u32 i = 0; i < registers; i++) {
        for (u32 lane = 0; lane < laneCount; lane++) {
            const bool small = shape.rows == 4;
            const u32 block = small ? lane / 4 : i / perBlock;
            const u32 row = block * shape.rows + resultRow(shape, lane, i);
            const u32 column = block * shape.columns + lane % shape.columns;
            float sum = std::bit_cast<float>(c < 0 ? constant : w.v[static_cast<u32>(c) + i][lane]);
            const float *x = &left.values[row * shape.depth], *y = &right.values[column * shape.depth];
            for (u32 k = 0; k < shape.depth; k++) {
                sum += x[k] * y[k];
            }
            result[i][lane] = sum;
            const bool addend = c < 0 || (w.defined[static_cast<u32>(c) + i] >> lane & 1);
            defined[i] |= static_cast<u64>(addend && left.rowDefined[row] && right.rowDefined[column]) << lane;
        }
    }
    for (u32 i = 0; i < registers; i++) {
        for (u32 lane = 0; lane < laneCount; lane++) {
            w.v[d + i][lane] = std::bit_cast<u32>(result[i][lane]);
        }
        w.defined[d + i] = defined[i];
    }
}

} // namespace gfx942
