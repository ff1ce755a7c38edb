#include "check.h"
#include "test_kernel.h"

#include <bit>
#include <cmath>

using namespace gfx942;

namespace {

/// Small whole numbers: exact in every format, and so are their products and sums.
float leftElement(u32 block, u32 row, u32 k) { return static_cast<float>((block * 5 + row * 3 + k * 7) % 11) - 5; }
float rightElement(u32 block, u32 column, u32 k) { return static_cast<float>((block * 3 + column * 5 + k) % 7) - 3; }

u32 encode(float x, const char *format) {
    if (format[0] == 'b') {
        return std::bit_cast<u32>(x) >> 16;
    }
    // f16 of a whole number below 2048 in size
    if (x == 0) {
        return 0;
    }
    const int exponent = std::ilogb(x);
    const auto mantissa = static_cast<u32>((std::abs(x) / std::ldexp(1.0f, exponent) - 1) * 1024);
    return (x < 0 ? 0x8000u : 0u) | static_cast<u32>(exponent + 15) << 10 | mantissa;
}

/// `size` x `size` x `depth` products in `blocks` blocks, the layout of AMD's CDNA3 instruction set reference.
void expectProduct(u32 operation, const char *format, u32 size, u32 depth, u32 blocks) {
    const bool single = format[0] == 'f' && format[1] == '3';
    const u32 perLane = size * depth * blocks / 64;
    std::vector<u32> input(4 * 64);
    for (u32 lane = 0; lane < 64; lane++) {
        const u32 row = lane % size, block = blocks > 1 ? lane / size : 0;
        for (u32 j = 0; j < perLane; j++) {
            const u32 k = blocks > 1 ? j : lane / size * perLane + j;
            const float values[2] = {leftElement(block, row, k), rightElement(block, row, k)};
            for (u32 side = 0; side < 2; side++) {
                u32 &word = input[128 * side + 2 * lane + (single ? j : j / 2)];
                word |= single ? std::bit_cast<u32>(values[side]) : encode(values[side], format) << (16 * (j % 2));
            }
        }
    }
    const auto result = run<float>(matrix::kernel, operation, input, 64 * 16);
    const u32 registers = size * size * blocks / 64;
    for (u32 lane = 0; lane < 64; lane++) {
        for (u32 i = 0; i < registers; i++) {
            const u32 column = lane % size, block = blocks > 1 ? lane / size : 0;
            const u32 row = blocks > 1 ? i : i / 4 * (256 / size) + lane / size * 4 + i % 4;
            float sum = size == 32 ? 0 : static_cast<float>(i + 1);
            for (u32 k = 0; k < depth; k++) {
                sum += leftElement(block, row, k) * rightElement(block, column, k);
            }
            if (!CHECK_MESSAGE(result[16 * lane + i] == sum, std::string(format) + " " + std::to_string(size) +
                                                                 " lane " + std::to_string(lane) + " register " +
                                                                 std::to_string(i))) {
                return;
            }
        }
    }
}

} // namespace

TEST(matrixProducts) {
    expectProduct(0, "bf16", 16, 16, 1);
    expectProduct(1, "half", 16, 16, 1);
    expectProduct(2, "bf16", 4, 4, 16);
    expectProduct(3, "f32", 16, 4, 1);
    expectProduct(4, "bf16", 32, 8, 1);
    expectProduct(5, "f32", 32, 2, 1);
}
