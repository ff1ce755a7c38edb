#pragma once

// One function compiled for gfx942 and for the host: the translated code must give what the host's compiler gives.

#ifdef __AMDGCN__
#define BOTH __attribute__((device, always_inline)) static inline
#else
#define BOTH static inline
#endif

using Word = unsigned;
using Long = unsigned long long;
using SignedLong = long long;

/// Results that need not be exact: approximations of 1 ulp on the device.
enum class Exactness { bits, closeFloat };

struct Operation {
    const char *name;
    Exactness exactness;
};

template <class To, class From> BOTH To as(From from) { return __builtin_bit_cast(To, from); }
BOTH float low(Long x) { return as<float>(static_cast<Word>(x)); }
BOTH double wide(Long x) { return as<double>(x); }
BOTH Long word(float x) { return as<Word>(x); }
BOTH Long word(_Float16 x) { return as<unsigned short>(x); }
BOTH _Float16 half(Long x) { return as<_Float16>(static_cast<unsigned short>(x)); }
BOTH int whole(Long x) { return static_cast<int>(x); }

constexpr Operation operations[] = {
    {"add32", Exactness::bits},
    {"subtract32", Exactness::bits},
    {"multiply32", Exactness::bits},
    {"multiplyHigh", Exactness::bits},
    {"multiplyHighSigned", Exactness::bits},
    {"divide32", Exactness::bits},
    {"remainderSigned", Exactness::bits},
    {"rotate", Exactness::bits},
    {"shifts", Exactness::bits},
    {"fields", Exactness::bits},
    {"counts", Exactness::bits},
    {"extremes", Exactness::bits},
    {"medians", Exactness::bits},
    {"narrowSigned", Exactness::bits},
    {"swapBytes", Exactness::bits},
    {"carries", Exactness::bits},
    {"add64", Exactness::bits},
    {"multiply64", Exactness::bits},
    {"multiplyAdd64", Exactness::bits},
    {"shift64", Exactness::bits},
    {"compare64", Exactness::bits},
    {"divide64", Exactness::bits},
    {"addFloat", Exactness::bits},
    {"multiplyFloat", Exactness::bits},
    {"fusedFloat", Exactness::bits},
    {"divideFloat", Exactness::bits},
    {"rootFloat", Exactness::bits},
    {"roundings", Exactness::bits},
    {"extremesFloat", Exactness::bits},
    {"toInteger", Exactness::bits},
    {"fromInteger", Exactness::bits},
    {"comparisonsFloat", Exactness::bits},
    {"scaled", Exactness::bits},
    {"parts", Exactness::bits},
    {"brainFloat", Exactness::bits},
    {"halfArithmetic", Exactness::bits},
    {"halfConversions", Exactness::bits},
    {"double1", Exactness::bits},
    {"double2", Exactness::bits},
    {"doubleConversions", Exactness::bits},
    {"exponential", Exactness::closeFloat},
    {"logarithm", Exactness::closeFloat},
    {"reciprocalRoot", Exactness::closeFloat},
    {"bytesToFloat", Exactness::bits},
    {"sine", Exactness::closeFloat},
    {"class", Exactness::bits},
    {"halfPair", Exactness::bits},
    {"sixteen", Exactness::bits},
};
// clang-format off: one operation a line
constexpr Word operationCount = sizeof(operations) / sizeof(operations[0]);

BOTH Long integers32(Word number, Long x, Long y, Long z) {
    const Word a = static_cast<Word>(x), b = static_cast<Word>(y), c = static_cast<Word>(z);
    const int p = whole(x), q = whole(y), r = whole(z);
    switch (number) {
    case 0: return a + b + c;
    case 1: return a - b;
    case 2: return a * b + c;
    case 3: return static_cast<Long>(a) * b >> 32;
    case 4: return static_cast<Word>(static_cast<SignedLong>(p) * q >> 32);
    case 5: return b == 0 ? 0 : a / b;
    case 6: return q == 0 || q == -1 ? 0 : static_cast<Word>(p % q);
    case 7: return a << (b & 31) | a >> (-b & 31);
    case 8: return (a << (b & 31)) ^ (b >> (c & 31)) ^ static_cast<Word>(p >> (c & 31));
    case 9: return (a >> 5 & 0x3f) + static_cast<Word>(static_cast<int>(b << 7) >> 20) + ((a & c) | (b & ~c));
    case 10: return static_cast<Word>(__builtin_popcount(a) + (b ? __builtin_clz(b) : 32) * 64 + (c ? __builtin_ctz(c) : 32) * 4096) ^ __builtin_bitreverse32(a);
    case 11: return (a < b ? a : b) + (p > q ? p : q) * 3u + (c > a ? c : a) + static_cast<Word>(q < r ? q : r);
    case 12: { const int low = p < q ? p : q, top = p < q ? q : p, held = r < top ? r : top; return static_cast<Word>(low > held ? low : held); }
    case 13: return static_cast<Word>(static_cast<signed char>(a)) + static_cast<Word>(static_cast<short>(b)) + (a & 0xffffff) * (b & 0xffffff);
    case 14: return __builtin_bswap32(a) ^ (b >> 8 & 0xff00ff);
    default: { Word sum = 0; const bool over = __builtin_add_overflow(a, b, &sum); int difference = 0; const bool under = __builtin_sub_overflow(p, q, &difference); return sum ^ static_cast<Word>(difference) ^ (over ? 0x100 : 0) ^ (under ? 0x200 : 0); }
    }
}

BOTH Long integers64(Word number, Long a, Long b, Long c) {
    const SignedLong p = static_cast<SignedLong>(a), q = static_cast<SignedLong>(b);
    switch (number) {
    case 16: return a + b - (c << 3);
    case 17: return a * b;
    case 18: return (a & 0xffffffff) * (b & 0xffffffff) + c + static_cast<Long>(static_cast<SignedLong>(whole(a)) * whole(c));
    case 19: return (a << (b & 63)) ^ (a >> (c & 63)) ^ static_cast<Long>(p >> (c & 31));
    case 20: return (a < b ? 1 : 0) | (p < q ? 2 : 0) | (a == c ? 4 : 0) | (p >= static_cast<SignedLong>(c) ? 8 : 0);
    default: return b == 0 ? 0 : a / b;
    }
}

BOTH Long floats(Word number, Long x, Long y, Long z) {
    const float a = low(x), b = low(y), c = low(z);
    switch (number) {
    case 22: return word(a + b) ^ word(b - c) << 32;
    case 23: return word(a * b) ^ word(-a * __builtin_fabsf(b)) << 32;
    case 24: return word(__builtin_fmaf(a, b, c)) ^ word(__builtin_fmaf(-a, b, -c)) << 32;
    case 25: return word(a / b);
    case 26: return word(__builtin_sqrtf(__builtin_fabsf(a)));
    case 27: return word(__builtin_floorf(a) + __builtin_ceilf(b)) ^ word(__builtin_truncf(a) - __builtin_rintf(c)) << 32;
    case 28: return word(__builtin_fminf(a, b)) ^ word(__builtin_fmaxf(__builtin_fmaxf(a, b), c)) << 32;
    case 29: return (a > -2e9f && a < 2e9f ? static_cast<Word>(static_cast<int>(a)) : 7) ^ static_cast<Long>(b >= 0 && b < 4e9f ? static_cast<Word>(b) : 9) << 32;
    case 30: return word(static_cast<float>(static_cast<Word>(x))) ^ word(static_cast<float>(whole(y))) << 32;
    case 31: return (a < b ? 1 : 0) | (a >= b ? 2 : 0) | (a != c ? 4 : 0) | (__builtin_isunordered(a, b) ? 8 : 0) | (!(b <= c) ? 16 : 0) | (__builtin_islessgreater(a, b) ? 32 : 0);
    case 32: return word(__builtin_ldexpf(a, whole(y) % 40));
    case 33: return word(__builtin_copysignf(a, b)) ^ word(__builtin_fabsf(c) - a) << 32;
    default: { const Word u = static_cast<Word>(x); return (u + 0x7fff + (u >> 16 & 1)) >> 16 | word(as<float>(static_cast<Word>(y) & 0xffff0000u) * as<float>(static_cast<Word>(y) << 16)) << 32; }
    }
}

BOTH Long otherFloats(Word number, Long x, Long y, Long z) {
    const float a = low(x), b = low(y);
    const double d = wide(x), e = wide(y), f = wide(z);
    switch (number) {
    case 35: return word(static_cast<_Float16>(half(x) + half(y))) ^ word(static_cast<_Float16>(half(x) * half(z))) << 32;
    case 36: return word(static_cast<_Float16>(a)) ^ word(static_cast<float>(half(y))) << 32;
    case 37: return as<Long>(d + e) ^ as<Long>(d * f);
    case 38: return as<Long>(__builtin_fma(d, e, f)) ^ as<Long>(d < e ? d : f);
    case 39: return word(static_cast<float>(d)) ^ as<Long>(static_cast<double>(a)) ^ as<Long>(static_cast<double>(whole(y))) ^ as<Long>(static_cast<double>(static_cast<Word>(z)));
#ifdef __AMDGCN__
    case 40: return word(__builtin_amdgcn_exp2f(a));
    case 41: return word(__builtin_amdgcn_logf(__builtin_fabsf(a)));
    case 42: return word(__builtin_amdgcn_rsqf(__builtin_fabsf(a)));
    case 44: return word(__builtin_amdgcn_sinf(a));
    case 45: return (__builtin_amdgcn_classf(a, 0x207) ? 1 : 0) | (__builtin_amdgcn_classf(b, 0x090) ? 2 : 0);
#else
    case 40: return word(__builtin_exp2f(a));
    case 41: return word(__builtin_log2f(__builtin_fabsf(a)));
    case 42: return word(1.0f / __builtin_sqrtf(__builtin_fabsf(a)));
    case 44: return word(static_cast<float>(__builtin_sin(static_cast<double>(a) * 6.283185307179586)));
    case 45: { const bool denormal = b != 0 && __builtin_fabsf(b) < 0x1p-126f; return (a != a || __builtin_isinf(a) ? 1 : 0) | (denormal ? 2 : 0); }
#endif
    case 43: { const Word u = static_cast<Word>(x); return word(static_cast<float>(u & 255) + static_cast<float>(u >> 8 & 255) * 3 + static_cast<float>(u >> 16 & 255) * 7 + static_cast<float>(u >> 24) * 11); }
    case 46: {
        using Pair = _Float16 __attribute__((ext_vector_type(2)));
        const Pair p = as<Pair>(static_cast<Word>(x)), q = as<Pair>(static_cast<Word>(y));
        return as<Word>(static_cast<Pair>(p + q)) ^ static_cast<Long>(as<Word>(static_cast<Pair>(p * q))) << 32;
    }
    default: { const auto p = static_cast<unsigned short>(x), q = static_cast<unsigned short>(y); return static_cast<unsigned short>(p * q + (p >> (q & 15)) - (q << (p & 7))) ^ static_cast<Long>(static_cast<short>(p) < static_cast<short>(q) ? p : q) << 32; }
    }
}

BOTH Long evaluate(Word number, Long a, Long b, Long c) {
    return number < 16 ? integers32(number, a, b, c) : number < 22 ? integers64(number, a, b, c)
         : number < 35 ? floats(number, a, b, c) : otherFloats(number, a, b, c);
}
