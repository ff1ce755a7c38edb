#include "check.h"
#include "test_kernel.h"

#include <algorithm>
#include <functional>
#include <numeric>

using namespace gfx942;

namespace {

constexpr u32 count = 256;

std::vector<u32> pattern(size_t words) {
    std::vector<u32> out(words);
    u32 state = 12345;
    for (u32 &x : out) {
        x = state = state * 1664525 + 1013904223;
    }
    return out;
}

template <class T> T at(const std::vector<u32> &words, size_t index) {
    T value;
    std::memcpy(&value, reinterpret_cast<const char *>(words.data()) + index * sizeof(T), sizeof(T));
    return value;
}

void expect(u32 operation, const char *name, const std::vector<u32> &input, const std::function<u32(u32)> &expected,
            u64 seed = 0) {
    const auto result = run<u32>(memory::kernel, operation, input, count, {.dynamicLds = 4096, .seed = seed});
    for (u32 i = 0; i < count; i++) {
        if (!CHECK_MESSAGE(result[i] == expected(i), std::string(name) + " at " + std::to_string(i))) {
            return;
        }
    }
}

} // namespace

TEST(narrowGlobalAccesses) {
    const auto in = pattern(1024);
    expect(0, "loads", in, [&](u32 i) {
        return at<uint8_t>(in, i) + static_cast<u32>(at<i8>(in, i + 3)) * 3 + at<uint16_t>(in, i) * 5u +
               static_cast<u32>(at<i16>(in, i + 1)) * 7;
    });
    expect(1, "stores", in, [&](u32 i) { return (in[i] & 0xff) | (in[i] >> 16 & 0xff) << 8 | (in[i] & 0xffff0000); });
}

TEST(wideGlobalAccesses) {
    const auto in = pattern(1024);
    expect(6, "16 bytes", in, [&](u32 i) { return in[i / 4 * 4 + 3 - i % 4]; });
    expect(8, "12 bytes", in, [&](u32 i) { return in[i / 4 * 4] + in[i / 4 * 4 + 1] * 3 + in[i / 4 * 4 + 2] * 5; });
}

TEST(bufferLoadsPastTheEndGiveZero) {
    const auto in = pattern(256);
    expect(7, "buffer", in, [&](u32 i) { return i < 128 ? in[i] : 0; });
}

TEST(localAccesses) {
    const auto in = pattern(256);
    for (u64 seed = 0; seed < 4; seed++) {
        expect(
            2, "narrow", in,
            [&](u32 i) {
                const u32 x = in[i ^ 5];
                const auto half = static_cast<i16>(x >> 3);
                return (x & 0xff) + static_cast<u32>(static_cast<i8>(x)) * 3 + static_cast<u32>(half) * 7 +
                       static_cast<uint16_t>(half);
            },
            seed);
        expect(
            3, "wide", in,
            [&](u32 i) {
                const auto word = [&](u32 index) {
                    const u32 x = in[index / 4];
                    return index % 4 == 0 ? x : index % 4 == 1 ? x + 1 : index % 4 == 2 ? x ^ 0x55 : x * 3;
                };
                const u32 q = 4 * (i ^ 9);
                return word(q) + word(q + 1) * 3 + word(q + 2) * 5 + word(q + 3) * 7 + word(2 * i) +
                       word(2 * (i + 64) + 1);
            },
            seed);
    }
}

TEST(localAtomics) {
    const auto in = pattern(256);
    u32 bits = 0;
    for (const u32 x : in) {
        bits |= 1u << (x & 31);
    }
    const u32 sum = std::accumulate(in.begin(), in.end(), 5u), top = *std::max_element(in.begin(), in.end());
    expect(4, "atomics", in, [=](u32) { return sum ^ top << 8 ^ bits << 16 ^ 1u << 31; }, 3);
}

TEST(globalAtomics) {
    constexpr u32 groups = 5;
    const auto in = pattern(groups * count);
    const auto out = run<u32>(memory::kernel, 5, in, 16 + groups * count, {.workgroups = groups, .seed = 9});
    CHECK(out[0] == std::accumulate(in.begin(), in.end(), ~0u));
    CHECK(out[2] == ~0u && out[3] == ~0u); // the maximum was there already
    u32 bits = ~0u;
    for (const u32 x : in) {
        bits &= ~(1u << (x & 31));
    }
    CHECK(out[4] == bits);
    CHECK(out[6] == ~0u + groups * count);
    CHECK(std::all_of(out.begin() + 16, out.end(), [](u32 x) { return x == 1; })); // each ticket was given once
}

TEST(clocksRunForward) {
    expect(9, "clock", pattern(256), [](u32) { return 1u; });
}
