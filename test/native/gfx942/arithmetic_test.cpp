#include "check.h"
#include "kernels/arithmetic_names.h"
#include "test_kernel.h"

#include <bit>
#include <cmath>
#include <random>

using namespace gfx942;

namespace {

/// Random bits, small integers, ordinary floats and doubles, and the values at the edges of the formats.
u64 randomOperand(std::mt19937_64 &random, u64 choice) {
    constexpr u64 edges[] = {0,          1,          0xffffffff, 0x7fffffff, 0x80000000,         0x7f800000,
                             0xff800000, 0x7fc00000, 0x00000001, 0x007fffff, 0x7f7fffff,         0x00800000,
                             0x3c003c00, 0x7c00,     0x3f800000, 0x4b800000, 0x3ff0000000000000, ~0ull};
    const auto scaled = static_cast<double>(static_cast<i64>(random())) * 0x1p-53;
    switch (choice % 6) {
    case 0:
        return random();
    case 1:
        return random() % 100;
    case 2:
        return std::bit_cast<u32>(static_cast<float>(scaled)) | static_cast<u64>(random()) << 32;
    case 3:
        return std::bit_cast<u64>(scaled);
    case 4:
        return edges[random() % std::size(edges)];
    default:
        return std::bit_cast<u32>(static_cast<float>(std::ldexp(scaled, static_cast<int>(random() % 200) - 100)));
    }
}

bool isNaN32(u64 bits) { return (bits & 0x7fffffff) > 0x7f800000; }
bool isNaN64(u64 bits) { return (bits & 0x7fffffffffffffff) > 0x7ff0000000000000; }

/// Equal bits, or NaNs of any payload in the same half or whole.
bool same(u64 a, u64 b) {
    const bool low = static_cast<u32>(a) == static_cast<u32>(b) || (isNaN32(a) && isNaN32(b));
    const bool top = a >> 32 == b >> 32 || (isNaN32(a >> 32) && isNaN32(b >> 32));
    return (low && top) || (isNaN64(a) && isNaN64(b));
}

bool close(u64 a, u64 b) {
    const auto x = std::bit_cast<float>(static_cast<u32>(a)), y = std::bit_cast<float>(static_cast<u32>(b));
    return same(a, b) || std::abs(x - y) <= 4e-7f * std::abs(y) + 1e-38f;
}

} // namespace

TEST(arithmeticOfEveryGroupEqualsTheHosts) {
    constexpr u32 count = 4096;
    std::mt19937_64 random(1);
    std::vector<u64> input(3 * count);
    for (u32 i = 0; i < 3 * count; i++) {
        input[i] = randomOperand(random, i / 3 + (random() % 4 == 0 ? i : 0));
    }
    for (u32 operation = 0; operation < arithmeticOperations(); operation++) {
        const auto results = run<u64>(arithmetic::kernel, operation, input, count, {.workgroups = count / 256});
        u32 wrong = 0;
        for (u32 i = 0; i < count; i++) {
            const u64 *in = &input[3 * i];
            const u64 expected = expectedArithmetic(operation, in[0], in[1], in[2]);
            if (!(arithmeticIsExact(operation) ? same(results[i], expected) : close(results[i], expected)) &&
                wrong++ < 3) {
                char text[200];
                std::snprintf(text, sizeof text, "%s(%#lx, %#lx, %#lx) = %#lx, not %#lx", arithmeticName(operation),
                              in[0], in[1], in[2], results[i], expected);
                CHECK_MESSAGE(false, text);
            }
        }
    }
}
