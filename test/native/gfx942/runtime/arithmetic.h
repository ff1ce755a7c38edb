#pragma once

// Vector arithmetic that is more than one C++ operator. Transcendental functions are the exact ones rounded, not the
// hardware's approximations (1 ulp).

#include "runtime/lanes.h"

#include <cmath>
#include <limits>

namespace gfx942 {

INLINE F fma(F a, F b, F c) { return __builtin_elementwise_fma(a, b, c); }
template <class T> INLINE T median(T a, T b, T c) {
    const T low = __builtin_elementwise_min(a, b), top = __builtin_elementwise_max(a, b);
    return __builtin_elementwise_max(low, __builtin_elementwise_min(top, c));
}
INLINE F clampToOne(F x) { return __builtin_elementwise_min(__builtin_elementwise_max(x, F{}), F{} + 1.0f); }
INLINE F legacyProduct(F a, F b) { return ((a == 0.0f) | (b == 0.0f)) ? F{} : a * b; }

INLINE U signedField(U x, U offset, U width) {
    const U up = bits(integer(x << ((32 - width - offset) & 31)) >> integer((32 - width) & 31));
    const U past = bits(integer(x) >> integer(offset));
    return width == 0 ? splat(0) : (offset + width < 32 ? up : past);
}
INLINE U signedField(U x, u32 offset, u32 width) { return signedField(x, splat(offset), splat(width)); }
INLINE I signedHalf(U x) { return integer(x << 16) >> 16; }
INLINE U leadingZeros(U x) {
    U result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = x[lane] ? static_cast<u32>(__builtin_clz(x[lane])) : ~0u;
    }
    return result;
}
INLINE U leadingSigns(U x) { return leadingZeros(bits((integer(x) < 0) ? ~integer(x) : integer(x))); }
INLINE U trailingZeros(U x) {
    U result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = x[lane] ? static_cast<u32>(__builtin_ctz(x[lane])) : ~0u;
    }
    return result;
}
INLINE U bitCount(U x) {
    U result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = static_cast<u32>(__builtin_popcount(x[lane]));
    }
    return result;
}
/// v_mbcnt: how many of `mask`'s bits belong to lanes below this one; `top` is for lanes 32 to 63.
INLINE U countBelow(U mask, bool top) {
    const U lane = laneNumbers();
    const U upper = bits(lane >= 32);
    const U within = (splat(1) << (lane & 31)) - 1;
    return bitCount(mask & (top ? upper & within : upper | within));
}

[[gnu::noinline]] inline U permute(U a, U b, U select) {
    U result{};
    for (u32 lane = 0; lane < laneCount; lane++) {
        const u64 both = static_cast<u64>(a[lane]) << 32 | b[lane];
        u32 word = 0;
        for (u32 byte = 0; byte < 4; byte++) {
            const u32 pick = select[lane] >> (8 * byte) & 255;
            u32 value = 0;
            if (pick < 8) {
                value = both >> (8 * pick) & 255;
            } else if (pick < 12) {
                value = both >> (16 * (pick - 8) + 15) & 1 ? 255 : 0;
            } else if (pick > 12) {
                value = 255;
            }
            word |= value << (8 * byte);
        }
        result[lane] = word;
    }
    return result;
}

template <class Function> [[gnu::noinline]] F perLane(Function function, F a) {
    F result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = function(a[lane]);
    }
    return result;
}
template <class Function> [[gnu::noinline]] F perLane(Function function, F a, F b) {
    F result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = function(a[lane], b[lane]);
    }
    return result;
}
template <class Function> [[gnu::noinline]] F perLane(Function function, F a, F b, F c) {
    F result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = function(a[lane], b[lane], c[lane]);
    }
    return result;
}

inline float asFloat(u32 x) { return __builtin_bit_cast(float, x); }
inline u32 asBits(float x) { return __builtin_bit_cast(u32, x); }

inline constexpr auto exponential2 = [](float x) { return std::exp2(x); };
inline constexpr auto logarithm2 = [](float x) { return std::log2(x); };
inline constexpr auto fraction = [](float x) { return std::fmin(x - std::floor(x), 0x1.fffffep-1f); };
inline constexpr auto sineOfTurns = [](float x) { return static_cast<float>(std::sin(x * 6.283185307179586)); };
inline constexpr auto cosineOfTurns = [](float x) { return static_cast<float>(std::cos(x * 6.283185307179586)); };
inline constexpr auto scaleByPower = [](float x, float power) {
    return std::ldexp(x, static_cast<i32>(asBits(power)));
};
inline constexpr auto mantissaOf = [](float x) {
    int exponent = 0;
    return std::isfinite(x) ? std::frexp(x, &exponent) : x;
};
inline constexpr auto exponentOf = [](float x) {
    int exponent = 0;
    std::frexp(x, &exponent);
    return asFloat(std::isfinite(x) && x != 0 ? static_cast<u32>(exponent) : 0u);
};
/// Conversions saturate; NaN gives 0.
inline constexpr auto toUnsigned = [](float x) {
    return asFloat(!(x > 0) ? 0u : x >= 0x1p32f ? ~0u : static_cast<u32>(x));
};
inline constexpr auto toSigned = [](float x) {
    const i32 whole = x >= 0x1p31f   ? std::numeric_limits<i32>::max()
                      : x < -0x1p31f ? std::numeric_limits<i32>::min()
                      : x != x       ? 0
                                     : static_cast<i32>(x);
    return asFloat(static_cast<u32>(whole));
};
/// v_cmp_class: bits for signalling and quiet NaN, then -inf, -normal, -denormal, -0, +0, +denormal, +normal, +inf.
inline constexpr auto classOf = [](float x, float wanted) {
    const u32 word = asBits(x), exponent = word >> 23 & 255, mantissa = word & 0x7fffff;
    u32 category = 0;
    if (exponent == 255 && mantissa != 0) {
        category = word >> 22 & 1;
    } else {
        const u32 size = exponent == 255 ? 0 : exponent != 0 ? 1 : mantissa != 0 ? 2 : 3;
        category = word >> 31 ? 2 + size : 9 - size;
    }
    return asFloat(asBits(wanted) >> category & 1);
};

/// Division as the compiler expands it: v_div_scale keeps the quotient's steps in range, v_div_fmas undoes the scale,
/// v_div_fixup puts in the special cases.
template <class V> struct Division;
template <> struct Division<F> {
    using Scalar = float;
    static constexpr int bias = 127, spread = 96, tiny = 23, scale = 64;
};
template <> struct Division<D> {
    using Scalar = double;
    static constexpr int bias = 1023, spread = 768, tiny = 53, scale = 128;
};

template <class Scalar> int biasedExponent(Scalar x, int bias) {
    return x == 0 || std::fpclassify(x) == FP_SUBNORMAL ? 0 : std::ilogb(x) + bias;
}

template <class V> [[gnu::noinline]] V divisionScale(V value, V divisor, V dividend, u64 &scaled) {
    using Shape = Division<V>;
    using Scalar = typename Shape::Scalar;
    V result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        const Scalar x = value[lane], d = divisor[lane], n = dividend[lane];
        const auto denormal = [](Scalar y) { return std::fpclassify(y) == FP_SUBNORMAL; };
        const int top = biasedExponent(n, Shape::bias), bottom = biasedExponent(d, Shape::bias);
        Scalar out = x;
        bool flag = false;
        if (n == 0 || d == 0) {
            out = std::numeric_limits<Scalar>::quiet_NaN();
        } else if (!std::isfinite(n) || !std::isfinite(d)) {
            out = x;
        } else if (top - bottom >= Shape::spread) {
            flag = true;
            out = x == d ? std::ldexp(x, Shape::scale) : x;
        } else if (denormal(d)) {
            out = std::ldexp(x, Shape::scale);
        } else if (denormal(1 / d) && denormal(n / d)) {
            flag = true;
            out = x == d ? std::ldexp(x, -Shape::scale) : x;
        } else if (denormal(1 / d)) {
            out = std::ldexp(x, -Shape::scale);
        } else if (denormal(n / d)) {
            flag = true;
            out = x == n ? std::ldexp(x, Shape::scale) : x;
        } else if (top <= Shape::tiny) {
            out = std::ldexp(x, Shape::scale);
        }
        result[lane] = out;
        scaled |= static_cast<u64>(flag) << lane;
    }
    return result;
}

template <class V> [[gnu::noinline]] V divisionFma(V a, V b, V c, u64 scaled) {
    V result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        const auto value = std::fma(a[lane], b[lane], c[lane]);
        // A large quotient was scaled down by its divisor, a small one up by its dividend.
        const int power = std::isfinite(c[lane]) && c[lane] != 0 && std::ilogb(c[lane]) > 0 ? Division<V>::scale
                                                                                            : -Division<V>::scale;
        result[lane] = scaled >> lane & 1 ? std::ldexp(value, power) : value;
    }
    return result;
}

template <class Scalar> Scalar fixQuotient(Scalar quotient, Scalar d, Scalar n) {
    if (std::isnan(n) || std::isnan(d) || d == 0 || n == 0 || std::isinf(n) || std::isinf(d)) {
        return n / d;
    }
    constexpr bool single = sizeof(Scalar) == 4;
    const int distance = std::ilogb(n) - std::ilogb(d);
    if (distance < (single ? -150 : -1075)) {
        quotient = 0;
    } else if (std::isnan(quotient)) {
        quotient = std::numeric_limits<Scalar>::infinity(); // the steps overflowed
    }
    return std::copysign(quotient, std::signbit(n) != std::signbit(d) ? Scalar(-1) : Scalar(1));
}
inline constexpr auto divisionFixup = [](float quotient, float d, float n) { return fixQuotient(quotient, d, n); };
[[gnu::noinline]] inline D divisionFixup64(D quotient, D d, D n) {
    D result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = fixQuotient<double>(quotient[lane], d[lane], n[lane]);
    }
    return result;
}
INLINE D reciprocal64(D x) { return 1.0 / x; }
INLINE D reciprocalRoot64(D x) { return 1.0 / __builtin_elementwise_sqrt(x); }
[[gnu::noinline]] inline D scaleByPower64(D x, U power) {
    D result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = std::ldexp(x[lane], static_cast<i32>(power[lane]));
    }
    return result;
}
[[gnu::noinline]] inline U saturateUnsigned(D x) {
    U result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        result[lane] = !(x[lane] > 0) ? 0u : x[lane] >= 0x1p32 ? ~0u : static_cast<u32>(x[lane]);
    }
    return result;
}
[[gnu::noinline]] inline U saturateSigned(D x) {
    U result;
    for (u32 lane = 0; lane < laneCount; lane++) {
        const double value = std::fmin(std::fmax(x[lane], -0x1p31), 0x1p31 - 1);
        result[lane] = x[lane] != x[lane] ? 0u : static_cast<u32>(static_cast<i32>(value));
    }
    return result;
}
INLINE U packTowardsZero(F a, F b) {
    // Rounding to half towards zero: clear the f32 bits that a half drops, then convert exactly (denormals aside).
    const U low = packHalf(real(bits(a) & 0xffffe000u)), top = packHalf(real(bits(b) & 0xffffe000u));
    return low | (top << 16);
}
INLINE F dotHalves(U a, U b, F c) { return fma(half(a >> 16), half(b >> 16), fma(half(a), half(b), c)); }
INLINE U dotBytes(U a, U b, U c) {
    for (u32 byte = 0; byte < 4; byte++) {
        c += partSigned(a, 8 * byte, 8) * partSigned(b, 8 * byte, 8);
    }
    return c;
}

/// A bit field of a scalar; a width of 0 gives 0.
inline u64 field(u64 x, u32 offset, u32 width) {
    return width == 0 ? 0 : (x >> offset) & (width >= 64 ? ~0ull : (1ull << width) - 1);
}
inline u64 signedField(u64 x, u32 offset, u32 width, u32 size) {
    if (width == 0) {
        return 0;
    }
    const u32 held = width < size - offset ? width : size - offset;
    return static_cast<u64>(static_cast<i64>(x << (64 - held - offset)) >> (64 - held));
}

} // namespace gfx942
