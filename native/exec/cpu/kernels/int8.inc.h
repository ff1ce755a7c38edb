// Products of int8 weights, quantised in groups of 32 along the depth, with activations quantised in runs of four such
// groups. A group's dot product is an exact integer; it is multiplied with the weights' scale and added to its run's
// sum, and that is multiplied with the activations' scale and added to the row's. All this is in f32 without fusing, in
// ascending order: the bits are the same on every instruction set.

/// Depth of a piece of a panel that stays in L1 while all tokens pass over it: 64 rows x 384 bytes and their scales.
constexpr uint32_t int8PieceDepth = 384;

/// Where it pays (asksForWeightsAhead()): 4, 8 and 16 KiB are each faster than the one before on Zen 5.
constexpr size_t int8AskedAhead = 16384;

/// Four bytes of a row of activations, broadcast as the instruction wants them.
struct ByteValues {
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
    Int all;
#elif defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
    Int even, odd; ///< elements 0 and 2, 1 and 3, as 16-bit pairs
#else
    Int each[4];
#endif
};

MK_INLINE ByteValues broadcastBytes(const int8_t *x) {
    int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    [[maybe_unused]] const Int all = four - Int{};
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
    return {all};
#elif defined(__AVX512F__)
    return {(Int)_mm512_srai_epi16(_mm512_slli_epi16((__m512i)all, 8), 8), (Int)_mm512_srai_epi16((__m512i)all, 8)};
#elif defined(__AVX2__)
    return {(Int)_mm256_srai_epi16(_mm256_slli_epi16((__m256i)all, 8), 8), (Int)_mm256_srai_epi16((__m256i)all, 8)};
#elif defined(__SSE2__)
    return {(Int)_mm_srai_epi16(_mm_slli_epi16((__m128i)all, 8), 8), (Int)_mm_srai_epi16((__m128i)all, 8)};
#else
    return {{x[0] - Int{}, x[1] - Int{}, x[2] - Int{}, x[3] - Int{}}};
#endif
}

/// sum + the dot products of four unsigned bytes of `weights` with four signed ones of `x`, in each 32-bit lane. No
/// step saturates: the 16-bit forms add two products of at most 255 * 127 in 32 bits.
MK_INLINE Int addDots(Int sum, Unsigned weights, const ByteValues &x) {
#if defined(__AVX512VNNI__)
    return (Int)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, (__m512i)x.all);
#elif defined(__AVXVNNI__)
    return (Int)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)weights, (__m256i)x.all);
#elif defined(__AVX512F__)
    const __m512i even = (__m512i)(weights & 0x00ff00ffu), odd = _mm512_srli_epi16((__m512i)weights, 8);
    return sum + (Int)_mm512_madd_epi16(even, (__m512i)x.even) + (Int)_mm512_madd_epi16(odd, (__m512i)x.odd);
#elif defined(__AVX2__)
    const __m256i even = (__m256i)(weights & 0x00ff00ffu), odd = _mm256_srli_epi16((__m256i)weights, 8);
    return sum + (Int)_mm256_madd_epi16(even, (__m256i)x.even) + (Int)_mm256_madd_epi16(odd, (__m256i)x.odd);
#elif defined(__SSE2__)
    const __m128i even = (__m128i)(weights & 0x00ff00ffu), odd = _mm_srli_epi16((__m128i)weights, 8);
    return sum + (Int)_mm_madd_epi16(even, (__m128i)x.even) + (Int)_mm_madd_epi16(odd, (__m128i)x.odd);
#else
    for (uint32_t i = 0; i < 4; i++) {
        sum += (Int)((weights >> (8 * i)) & 0xffu) * x.each[i];
    }
    return sum;
#endif
}

/// `AskedAhead`: how many bytes before it multiplies them a single token asks for weights into the L2, from where the
/// L1 is filled in time; 0: as for other weights.
template <size_t AskedAhead> struct Int8Tiles {
    using X = QuantizedGroup;
#if defined(__AVX512F__) || defined(__AVXVNNI__)
    static constexpr uint32_t mostTokens = 3;
#else
    static constexpr uint32_t mostTokens = 2;
#endif
    /// Lines that a tile of several tokens asks for with a group: where it has all blocks.
#if defined(__AVX512F__)
    static constexpr uint32_t askedLines = groupDepth / 4;
#else
    static constexpr uint32_t askedLines = 0;
#endif

    /// Each output takes a register for its sum and one for the running group.
    static constexpr uint32_t blocks(uint32_t tokens) {
#if defined(__AVX512F__)
        return tokens > 0 ? panelBlocks : 0;
#elif defined(__AVX2__)
        return tokens == 1 ? 2 : 1;
#else
        return tokens > 0 ? 1 : 0;
#endif
    }

    /// `lines` are groups here. Two groups follow a line of scales.
    template <uint32_t Blocks, uint32_t Tokens, bool Accumulate> static void tile(PanelProduct<QuantizedGroup> p) {
        for (uint32_t group = 0; group < p.lines; group += runGroups) {
            const QuantizedGroup *x = p.x;
            Vector run[Blocks][Tokens];
            addRun(run, p, p.lines - group < runGroups ? p.lines - group : runGroups);
            if (Accumulate || group > 0) {
                addToRows<true>(run, p, x);
            } else {
                addToRows<false>(run, p, x);
            }
        }
    }

    /// y += run * scale; between runs sums lie there, as registers are needed for other things.
    template <bool Accumulate, uint32_t Blocks, uint32_t Tokens>
    MK_INLINE void addToRows(const Vector (&run)[Blocks][Tokens], const PanelProduct<QuantizedGroup> &p,
                             const QuantizedGroup *x) {
#pragma GCC unroll 8
        for (uint32_t t = 0; t < Tokens; t++) {
            const Vector scale = broadcast(x[t * p.xStride].scale);
#pragma GCC unroll 8
            for (uint32_t b = 0; b < Blocks; b++) {
                float *y = p.y + t * p.yStride + b * blockRows;
                const Vector product = run[b][t] * scale;
                store(y, Accumulate ? load(y) + product : product);
            }
        }
    }

    /// The sum of `groups` groups whose activations have one scale; moves `p` behind them.
    template <uint32_t Blocks, uint32_t Tokens>
    MK_INLINE void addRun(Vector (&run)[Blocks][Tokens], PanelProduct<QuantizedGroup> &p, uint32_t groups) {
        const char *scales = nextScales(p);
        addGroup<Blocks, Tokens, false, false>(run, p, scales);
        for (uint32_t group = 1; group < groups; group++) {
            addGroup<Blocks, Tokens, true, true>(run, p, scales);
            if (++group < groups) {
                scales = nextScales(p);
                addGroup<Blocks, Tokens, false, true>(run, p, scales);
            }
        }
    }

    MK_INLINE const char *nextScales(PanelProduct<QuantizedGroup> &p) {
        const char *scales = p.panel;
        p.panel += p.lineStride;
        return scales;
    }

    /// Adds a group to the run, or begins it, and moves `p` behind it. The odd group's scales are in the high halves.
    template <uint32_t Blocks, uint32_t Tokens, bool Odd, bool Accumulate>
    MK_INLINE void addGroup(Vector (&run)[Blocks][Tokens], PanelProduct<QuantizedGroup> &p, const char *scales) {
        IntVector dots[Blocks][Tokens];
#pragma GCC unroll 8
        for (uint32_t t = 0; t < Tokens; t++) {
#pragma GCC unroll 8
            for (uint32_t b = 0; b < Blocks; b++) {
                MK_EACH dots[b][t].part[i] = p.x[t * p.xStride].correction - Int{};
            }
        }
#pragma GCC unroll 8
        for (uint32_t line = 0; line < groupDepth / 4; line++) {
            UnsignedVector weights[Blocks];
            if (Tokens > 1 && askedLines > 0 && p.asked != nullptr) {
                __builtin_prefetch(p.asked + line * 64, 0, 2);
            }
#pragma GCC unroll 8
            for (uint32_t b = 0; b < Blocks; b++) {
                weights[b] = loadBits(p.panel + b * 64);
                if constexpr (Tokens == 1 && AskedAhead > 0) {
                    __builtin_prefetch(p.panel + b * 64 + AskedAhead, 0, 2);
                } else if constexpr (Tokens == 1) {
                    prefetchWeights(p.panel + b * 64);
                } else {
                    keepLoaded(weights[b]);
                }
            }
#pragma GCC unroll 8
            for (uint32_t t = 0; t < Tokens; t++) {
                const ByteValues x = broadcastBytes(p.x[t * p.xStride].values + 4 * line);
#pragma GCC unroll 8
                for (uint32_t b = 0; b < Blocks; b++) {
                    MK_EACH dots[b][t].part[i] = addDots(dots[b][t].part[i], weights[b].part[i], x);
                }
            }
            p.panel += p.lineStride;
        }
#pragma GCC unroll 8
        for (uint32_t b = 0; b < Blocks; b++) {
            const UnsignedVector pair = loadBits(scales + b * 64);
            const Vector scale = fromBits(Odd ? bitAnd(pair, 0xffff0000u) : shiftLeft(pair, 16));
#pragma GCC unroll 8
            for (uint32_t t = 0; t < Tokens; t++) {
                const Vector product = toFloats(dots[b][t]) * scale;
                run[b][t] = Accumulate ? run[b][t] + product : product;
            }
        }
        p.x++;
        p.asked += p.asked != nullptr ? askedLines * 64 : 0;
    }
};

using Int8Line = Int8Tiles<0>;

/// The largest absolute values, lane by lane; NaN where one is: as integers magnitudes are in the same order, and NaN
/// is above all.
MK_INLINE IntVector largerMagnitudes(IntVector magnitudes, Vector x) {
    MK_EACH {
        const Int other = (Int)x.part[i] & 0x7fffffff;
        magnitudes.part[i] = magnitudes.part[i] > other ? magnitudes.part[i] : other;
    }
    return magnitudes;
}

/// The largest of them.
MK_INLINE float largestMagnitude(IntVector magnitudes) {
#if defined(__AVX512F__) || defined(__AVX2__)
#if defined(__AVX512F__)
    const Int all = magnitudes.part[0];
    const __m256i eight = _mm256_max_epi32((__m256i)__builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7),
                                           (__m256i)__builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15));
#else
    const __m256i eight = _mm256_max_epi32((__m256i)magnitudes.part[0], (__m256i)magnitudes.part[1]);
#endif
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(four));
#else
    int32_t largest = 0;
    MK_EACH for (uint32_t j = 0; j < registerFloats; j++) {
        largest = magnitudes.part[i][j] > largest ? magnitudes.part[i][j] : largest;
    }
    float magnitude;
    __builtin_memcpy(&magnitude, &largest, sizeof magnitude);
    return magnitude;
#endif
}

/// 32 values in -128..127 as bytes; returns their sum.
MK_INLINE int32_t storeBytes(IntVector first, IntVector second, int8_t *out) {
#if defined(__AVX512F__) || defined(__AVX2__)
#if defined(__AVX512F__)
    const __m256i bytes = _mm256_set_m128i(_mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)second.part[0]),
                                           _mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)first.part[0]));
#else
    const __m256i words = _mm256_packs_epi32((__m256i)first.part[0], (__m256i)first.part[1]);
    const __m256i more = _mm256_packs_epi32((__m256i)second.part[0], (__m256i)second.part[1]);
    // Packing works within halves, so fours of bytes come out as 0 2 4 6 1 3 5 7.
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words, more), order);
#endif
    _mm256_storeu_si256((__m256i *)out, bytes);
    // Distances of unsigned bytes from 0, by eights.
    const __m256i sums = _mm256_sad_epu8(_mm256_xor_si256(bytes, _mm256_set1_epi8(-128)), _mm256_setzero_si256());
    const __m128i halves = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_cvtsi128_si32(halves) + _mm_extract_epi32(halves, 2) - 32 * 128;
#else
    int32_t values[32], sum = 0;
    MK_EACH {
        __builtin_memcpy(values + i * registerFloats, &first.part[i], sizeof(Int));
        __builtin_memcpy(values + 16 + i * registerFloats, &second.part[i], sizeof(Int));
    }
    for (uint32_t i = 0; i < 32; i++) {
        out[i] = static_cast<int8_t>(values[i]);
        sum += out[i]; // what was not finite gives any value
    }
    return sum;
#endif
}

/// `count` elements, a multiple of 16, with the scale that brings their largest magnitude to 127. Values are rounded to
/// the nearest, ties to even. What is not finite makes the scale so.
MK_INLINE void quantizeRun(const float *x, uint32_t count, QuantizedGroup *out) {
    constexpr float smallest = 1e-30f;         // Below it a run counts as zeros: 127 / magnitude must be finite.
    const Vector magic = broadcast(0x1.8p23f); // Rounds to a whole number, which is then in the low bits.
    IntVector magnitudes{};
    for (uint32_t k = 0; k < count; k += 16) {
        magnitudes = largerMagnitudes(magnitudes, load(x + k));
    }
    const float magnitude = largestMagnitude(magnitudes);
    const bool zero = magnitude < smallest;
    const Vector inverse = broadcast(zero ? 0.0f : 127.0f / magnitude);
    for (uint32_t k = 0; k < count; k += groupDepth, out++) {
        const Vector first = load(x + k), second = count - k > 16 ? load(x + k + 16) : broadcast(0.0f);
        IntVector low = toBits(first * inverse + magic), high = toBits(second * inverse + magic);
        MK_EACH {
            low.part[i] -= (Int)magic.part[i];
            high.part[i] -= (Int)magic.part[i];
        }
        out->scale = zero ? 0.0f : magnitude * (1.0f / 127.0f);
        out->correction = -128 * storeBytes(low, high, out->values);
    }
}

static void quantize(const float *x, uint32_t depth, QuantizedGroup *out) {
    for (uint32_t k = 0; k < depth; k += runDepth, out += runGroups) {
        const uint32_t left = (depth - k + 15) / 16 * 16;
        quantizeRun(x + k, left < runDepth ? left : runDepth, out);
    }
}

/// Groups of a piece of a panel of `groups`: pieces are about equal, so that each is asked for while another one of its
/// size is multiplied, and end where a run and a line of scales end.
MK_INLINE uint32_t int8PieceGroups(uint32_t groups) {
    constexpr uint32_t most = int8PieceDepth / groupDepth;
    static_assert(most % runGroups == 0 && runGroups % 2 == 0);
    const uint32_t pieces = (groups + most - 1) / most;
    return (groups + pieces * runGroups - 1) / (pieces * runGroups) * runGroups;
}

static void multiplyInt8(const MatrixProduct &m) {
    const uint32_t allGroups = (m.depth + groupDepth - 1) / groupDepth;
    const bool inPieces = m.tokens > Int8Line::mostTokens;
    const uint32_t atOnce = inPieces ? int8PieceGroups(allGroups) : allGroups;
    PanelProduct<QuantizedGroup> p{static_cast<const char *>(m.panel),
                                   m.blocks * size_t{64},
                                   allGroups < atOnce ? allGroups : atOnce,
                                   static_cast<const QuantizedGroup *>(m.x.rows),
                                   m.x.stride / sizeof(QuantizedGroup),
                                   m.y,
                                   m.yStride};
#if defined(__AVX512BF16__) && !defined(__AMX_INT8__)
    if (m.tokens == 1 && m.asksAhead) {
        return allBlocks<Int8Tiles<int8AskedAhead>, 1, false>(p, m.blocks);
    }
#endif
    const size_t pieceBytes = quantizedLines(atOnce) * p.lineStride;
    Ahead ahead{p.panel + pieceBytes, inPieces ? pieceBytes : 0};
    allTokens<Int8Line, false>(p, m.blocks, m.tokens, ahead);
    for (uint32_t first = p.lines; first < allGroups; first += p.lines) {
        p.panel += pieceBytes;
        ahead.at += pieceBytes;
        p.x += p.lines;
        p.lines = allGroups - first < atOnce ? allGroups - first : atOnce;
        allTokens<Int8Line, true>(p, m.blocks, m.tokens, ahead);
    }
}
