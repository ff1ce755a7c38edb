// Sixteen floats on whatever registers the including source is compiled for. Included inside a namespace of that
// source's own, so that no function here is ever shared between sources with different flags.

#if defined(__AVX512F__)
constexpr uint32_t registerFloats = 16;
#elif defined(__AVX2__)
constexpr uint32_t registerFloats = 8;
#else
constexpr uint32_t registerFloats = 4;
#endif
constexpr uint32_t registersPerVector = 16 / registerFloats;

using Float = float __attribute__((vector_size(registerFloats * 4)));
using Int = int32_t __attribute__((vector_size(registerFloats * 4)));
using Unsigned = uint32_t __attribute__((vector_size(registerFloats * 4)));

#define MK_INLINE static inline __attribute__((always_inline))

template <class Register> struct Lanes {
    Register part[registersPerVector];
};
using Vector = Lanes<Float>;
using IntVector = Lanes<Int>;
using UnsignedVector = Lanes<Unsigned>;

MK_INLINE Float fusedMultiplyAdd(Float a, Float b, Float c) {
#if defined(__AVX512F__)
    return (Float)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (Float)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (Float)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c; // Two roundings: without the instruction the bits differ a little from the other paths.
#endif
}

#define MK_EACH for (uint32_t i = 0; i < registersPerVector; i++)

MK_INLINE Vector load(const float *p) {
    Vector v;
    MK_EACH __builtin_memcpy(&v.part[i], p + i * registerFloats, sizeof(Float));
    return v;
}
MK_INLINE UnsignedVector loadBits(const void *p) {
    UnsignedVector v;
    MK_EACH __builtin_memcpy(&v.part[i], static_cast<const char *>(p) + i * sizeof(Float), sizeof(Float));
    return v;
}
/// Keeps what was loaded in its register: GCC otherwise loads it again for each use, although half of AVX-512's
/// registers are free (int8 products of many tokens: 417 to 433 G multiply-adds/s).
MK_INLINE void keepLoaded([[maybe_unused]] UnsignedVector &v) {
#if defined(__AVX512F__)
    asm("" : "+v"(v.part[0]));
#endif
}
MK_INLINE void store(float *p, Vector v) {
    MK_EACH __builtin_memcpy(p + i * registerFloats, &v.part[i], sizeof(Float));
}
MK_INLINE Vector broadcast(float value) {
    Vector v;
    MK_EACH v.part[i] = value - Float{};
    return v;
}
MK_INLINE Vector fma(Vector a, Vector b, Vector c) {
    MK_EACH c.part[i] = fusedMultiplyAdd(a.part[i], b.part[i], c.part[i]);
    return c;
}
MK_INLINE Vector operator+(Vector a, Vector b) {
    MK_EACH a.part[i] += b.part[i];
    return a;
}
MK_INLINE Vector operator-(Vector a, Vector b) {
    MK_EACH a.part[i] -= b.part[i];
    return a;
}
MK_INLINE Vector operator*(Vector a, Vector b) {
    MK_EACH a.part[i] *= b.part[i];
    return a;
}
MK_INLINE Vector operator/(Vector a, Vector b) {
    MK_EACH a.part[i] /= b.part[i];
    return a;
}
MK_INLINE Vector maximum(Vector a, Vector b) {
    MK_EACH a.part[i] = a.part[i] > b.part[i] ? a.part[i] : b.part[i];
    return a;
}
MK_INLINE Vector minimum(Vector a, Vector b) {
    MK_EACH a.part[i] = a.part[i] < b.part[i] ? a.part[i] : b.part[i];
    return a;
}

MK_INLINE IntVector toBits(Vector a) {
    IntVector v;
    MK_EACH v.part[i] = (Int)a.part[i];
    return v;
}
MK_INLINE Vector fromBits(IntVector a) {
    Vector v;
    MK_EACH v.part[i] = (Float)a.part[i];
    return v;
}
MK_INLINE Vector fromBits(UnsignedVector a) {
    Vector v;
    MK_EACH v.part[i] = (Float)a.part[i];
    return v;
}
MK_INLINE UnsignedVector shiftLeft(UnsignedVector a, uint32_t bits) {
    MK_EACH a.part[i] <<= bits;
    return a;
}
MK_INLINE UnsignedVector bitAnd(UnsignedVector a, uint32_t mask) {
    MK_EACH a.part[i] &= mask;
    return a;
}

MK_INLINE Vector toFloats(IntVector a) {
    Vector v;
    MK_EACH v.part[i] = __builtin_convertvector(a.part[i], Float);
    return v;
}

/// 0, 1, ... 15.
MK_INLINE Vector laneIndex() {
    Vector v;
    MK_EACH for (uint32_t j = 0; j < registerFloats; j++) { v.part[i][j] = static_cast<float>(i * registerFloats + j); }
    return v;
}
/// Lanes l with first <= l < end keep `a`; the others become `other`. Bounds may lie outside 0..16.
MK_INLINE Vector keepLanes(Vector a, int32_t first, int32_t end, float other) {
    const Vector index = laneIndex(), replacement = broadcast(other);
    const float low = static_cast<float>(first), high = static_cast<float>(end);
    MK_EACH a.part[i] = ((index.part[i] >= low) & (index.part[i] < high)) ? a.part[i] : replacement.part[i];
    return a;
}

// The order of horizontal reductions is fixed, 16 to 8 to 4 to 2 to 1, on every instruction set.
using Quad = float __attribute__((vector_size(16)));

template <class Combine> MK_INLINE float reduceLanes(Vector v, Combine combine) {
    Quad quad;
#if defined(__AVX512F__)
    const auto low = __builtin_shufflevector(v.part[0], v.part[0], 0, 1, 2, 3, 4, 5, 6, 7);
    const auto high = __builtin_shufflevector(v.part[0], v.part[0], 8, 9, 10, 11, 12, 13, 14, 15);
    const auto eight = combine(low, high);
#elif defined(__AVX2__)
    const auto eight = combine(v.part[0], v.part[1]);
#endif
#if defined(__AVX2__)
    quad =
        combine(__builtin_shufflevector(eight, eight, 0, 1, 2, 3), __builtin_shufflevector(eight, eight, 4, 5, 6, 7));
#else
    quad = combine(combine(v.part[0], v.part[2]), combine(v.part[1], v.part[3]));
#endif
    quad = combine(quad, __builtin_shufflevector(quad, quad, 2, 3, 0, 1));
    quad = combine(quad, __builtin_shufflevector(quad, quad, 1, 0, 3, 2));
    return quad[0];
}
MK_INLINE float horizontalSum(Vector v) {
    return reduceLanes(v, [](auto a, auto b) __attribute__((always_inline)) { return a + b; });
}
MK_INLINE float horizontalMaximum(Vector v) {
    return reduceLanes(v, [](auto a, auto b) __attribute__((always_inline)) { return a > b ? a : b; });
}
MK_INLINE float horizontalMinimum(Vector v) {
    return reduceLanes(v, [](auto a, auto b) __attribute__((always_inline)) { return a < b ? a : b; });
}

/// exp(x) to about 1 ulp for x <= 88; exactly 0 below -87 (softmax weights need no denormals). Cephes' expf polynomial.
MK_INLINE Vector exponentialOf(Vector x) {
#if defined(__AVX512F__)
    // Both give their second operand where one is NaN.
    const __m512 above = _mm512_maskz_max_ps(0xffff, _mm512_set1_ps(-87.0f), (__m512)x.part[0]);
    const Vector clamped{{(Float)_mm512_maskz_min_ps(0xffff, _mm512_set1_ps(88.0f), above)}};
#else
    const Vector clamped = minimum(maximum(x, broadcast(-87.0f)), broadcast(88.0f));
#endif
    const Vector magic = broadcast(0x1.8p23f);
    const Vector shifted = fma(clamped, broadcast(1.44269504088896341f), magic); // integer in the low bits
    const Vector n = shifted - magic;
    Vector r = fma(n, broadcast(-0.693359375f), clamped);
    r = fma(n, broadcast(2.12194440e-4f), r);
    Vector p = broadcast(1.9875691500e-4f);
    p = fma(p, r, broadcast(1.3981999507e-3f));
    p = fma(p, r, broadcast(8.3334519073e-3f));
    p = fma(p, r, broadcast(4.1665795894e-2f));
    p = fma(p, r, broadcast(1.6666665459e-1f));
    p = fma(p, r, broadcast(5.0000001201e-1f));
    p = fma(p, r * r, r) + broadcast(1.0f);
#if defined(__AVX512F__)
    // Times 2^n: the same bits, as no result is denormal, and NaN stays visible.
    const __mmask16 seen = _mm512_cmp_ps_mask((__m512)x.part[0], _mm512_set1_ps(-87.0f), _CMP_NLT_UQ);
    return {{(Float)_mm512_maskz_scalef_ps(seen, (__m512)p.part[0], (__m512)n.part[0])}};
#else
    IntVector exponent = toBits(shifted);
    MK_EACH exponent.part[i] = (Int)((Unsigned)exponent.part[i] << 23) + (Int)p.part[i];
    Vector result = fromBits(exponent);
    MK_EACH result.part[i] = x.part[i] < -87.0f ? Float{} : result.part[i];
    MK_EACH result.part[i] = x.part[i] == x.part[i] ? result.part[i] : x.part[i]; // NaN stays visible
    return result;
#endif
}

/// log(x) for normal x > 0 to about 1 ulp. Cephes' logf polynomial.
MK_INLINE Vector logarithmOf(Vector x) {
    Vector mantissa, exponent;
    MK_EACH {
        const Int bits = (Int)x.part[i];
        const Int offset = bits - 0x3f3504f3; // mantissa into [sqrt(1/2), sqrt(2))
        const Int e = offset >> 23;
        mantissa.part[i] = (Float)(bits - (Int)((Unsigned)e << 23));
        exponent.part[i] = __builtin_convertvector(e, Float);
    }
    const Vector r = mantissa - broadcast(1.0f), square = r * r;
    Vector p = broadcast(7.0376836292e-2f);
    p = fma(p, r, broadcast(-1.1514610310e-1f));
    p = fma(p, r, broadcast(1.1676998740e-1f));
    p = fma(p, r, broadcast(-1.2420140846e-1f));
    p = fma(p, r, broadcast(1.4249322787e-1f));
    p = fma(p, r, broadcast(-1.6668057665e-1f));
    p = fma(p, r, broadcast(2.0000714765e-1f));
    p = fma(p, r, broadcast(-2.4999993993e-1f));
    p = fma(p, r, broadcast(3.3333331174e-1f));
    Vector y = p * r * square;
    y = fma(exponent, broadcast(-2.12194440e-4f), y);
    y = fma(square, broadcast(-0.5f), y);
    return fma(exponent, broadcast(0.693359375f), r + y);
}
