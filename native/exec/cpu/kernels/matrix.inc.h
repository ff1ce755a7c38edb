// Matrix products over packed panels. Lanes of a vector are rows of the weight, x is broadcast: no horizontal sums, one
// FMA chain an output. A register tile holds tileBlocks x tokens accumulators.

/// How far ahead of a single token's pass the next panels are fetched; a worker's panels follow each other, so this
/// also fetches the next phase's. Measured with weights in memory: 10 to 40 % faster than the hardware's prefetch
/// alone, and flat from 4 to 16 KiB.
constexpr size_t prefetchBytes = 8192;

/// Most tokens of a register tile.
constexpr uint32_t tileTokens = 6;

/// Blocks of a register tile of `tokens` tokens: as many accumulators as the registers hold beside weights and x.
constexpr uint32_t tileBlocks(uint32_t tokens) {
#if defined(__AVX512F__)
    return tokens > 0 ? panelBlocks : 0;
#elif defined(__AVX2__)
    return tokens == 1 ? 4 : tokens <= 3 ? 2 : 1;
#elif defined(__aarch64__)
    return tokens == 1 ? 4 : 1;
#else
    return tokens == 1 ? 2 : 1;
#endif
}

struct Bf16Line {
    static constexpr uint32_t depth = 2;
    MK_INLINE void expand(const char *line, Vector *out) {
        const UnsignedVector pairs = loadBits(line);
        out[0] = fromBits(shiftLeft(pairs, 16));
        out[1] = fromBits(bitAnd(pairs, 0xffff0000u));
    }
};

struct F32Line {
    static constexpr uint32_t depth = 1;
    MK_INLINE void expand(const char *line, Vector *out) { out[0] = fromBits(loadBits(line)); }
};

struct F16Line {
    static constexpr uint32_t depth = 2;
    MK_INLINE void expand(const char *line, Vector *out) {
        out[0] = halves(line);
        out[1] = halves(line + 32);
    }
    MK_INLINE Vector halves(const char *p) {
        Vector v;
#if defined(__AVX512F__)
        v.part[0] = (Float)_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256((const __m256i *)p));
#elif defined(__F16C__)
        MK_EACH v.part[i] = (Float)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 16 * i)));
#else
        // Exponent and mantissa moved into an f32's and scaled by 2^112: exact for normals and denormals.
        for (uint32_t lane = 0; lane < 16; lane++) {
            uint16_t half;
            __builtin_memcpy(&half, p + 2 * lane, 2);
            const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fffu) << 13;
            float value;
            __builtin_memcpy(&value, &magnitude, 4);
            value *= 0x1p112f;
            uint32_t bits;
            __builtin_memcpy(&bits, &value, 4);
            if ((half & 0x7c00u) == 0x7c00u) {
                bits = 0x7f800000u | (magnitude & 0x007fe000u);
            }
            bits |= static_cast<uint32_t>(half & 0x8000u) << 16;
            __builtin_memcpy(&value, &bits, 4);
            v.part[lane / registerFloats][lane % registerFloats] = value;
        }
#endif
        return v;
    }
};

/// One register tile: Blocks x Tokens sums over `lines` lines, lineStride bytes apart.
template <class Line, uint32_t Blocks, uint32_t Tokens, bool Accumulate>
static void tile(const char *panel, size_t lineStride, uint32_t lines, const float *x, size_t xStride, float *y,
                 size_t yStride) {
    Vector sums[Blocks][Tokens];
#pragma GCC unroll 8
    for (uint32_t b = 0; b < Blocks; b++) {
#pragma GCC unroll 8
        for (uint32_t t = 0; t < Tokens; t++) {
            sums[b][t] = Accumulate ? load(y + t * yStride + b * blockRows) : broadcast(0.0f);
        }
    }
    for (uint32_t line = 0; line < lines; line++) {
        Vector weights[Blocks][Line::depth];
#pragma GCC unroll 8
        for (uint32_t b = 0; b < Blocks; b++) {
            Line::expand(panel + b * 64, weights[b]);
            if constexpr (Tokens == 1) {
                __builtin_prefetch(panel + b * 64 + prefetchBytes);
            }
        }
#pragma GCC unroll 2
        for (uint32_t k = 0; k < Line::depth; k++) {
#pragma GCC unroll 8
            for (uint32_t t = 0; t < Tokens; t++) {
                const Vector value = broadcast(x[t * xStride + k]);
#pragma GCC unroll 8
                for (uint32_t b = 0; b < Blocks; b++) {
                    sums[b][t] = fma(weights[b][k], value, sums[b][t]);
                }
            }
        }
        panel += lineStride;
        x += Line::depth;
    }
#pragma GCC unroll 8
    for (uint32_t b = 0; b < Blocks; b++) {
#pragma GCC unroll 8
        for (uint32_t t = 0; t < Tokens; t++) {
            store(y + t * yStride + b * blockRows, sums[b][t]);
        }
    }
}

/// A panel's worth of operands for tile().
struct PanelProduct {
    const char *panel;
    size_t lineStride;
    uint32_t lines;
    const float *x;
    size_t xStride;
    float *y;
    size_t yStride;
};

template <class Line, uint32_t Tokens, bool Accumulate> static void allBlocks(PanelProduct p, uint32_t blocks) {
    constexpr uint32_t most = tileBlocks(Tokens);
    while (blocks >= most) {
        tile<Line, most, Tokens, Accumulate>(p.panel, p.lineStride, p.lines, p.x, p.xStride, p.y, p.yStride);
        p.panel += most * 64;
        p.y += most * blockRows;
        blocks -= most;
    }
    if constexpr (most > 2) {
        if (blocks >= 2) {
            tile<Line, 2, Tokens, Accumulate>(p.panel, p.lineStride, p.lines, p.x, p.xStride, p.y, p.yStride);
            p.panel += 2 * 64;
            p.y += 2 * blockRows;
            blocks -= 2;
        }
    }
    if constexpr (most > 1) {
        if (blocks >= 1) {
            tile<Line, 1, Tokens, Accumulate>(p.panel, p.lineStride, p.lines, p.x, p.xStride, p.y, p.yStride);
        }
    }
}

template <class Line, bool Accumulate> static void allTokens(PanelProduct p, uint32_t blocks, uint32_t tokens) {
    for (; tokens >= tileTokens; tokens -= tileTokens) {
        allBlocks<Line, tileTokens, Accumulate>(p, blocks);
        p.x += tileTokens * p.xStride;
        p.y += tileTokens * p.yStride;
    }
    switch (tokens) {
    case 1:
        return allBlocks<Line, 1, Accumulate>(p, blocks);
    case 2:
        return allBlocks<Line, 2, Accumulate>(p, blocks);
    case 3:
        return allBlocks<Line, 3, Accumulate>(p, blocks);
    case 4:
        return allBlocks<Line, 4, Accumulate>(p, blocks);
    case 5:
        return allBlocks<Line, 5, Accumulate>(p, blocks);
    default:
        return;
    }
}

template <class Line> static void expandPanel(const char *panel, uint32_t blocks, uint32_t lines, float *out) {
    for (uint32_t line = 0; line < lines; line++) {
        for (uint32_t b = 0; b < blocks; b++) {
            Vector weights[Line::depth];
            Line::expand(panel + (line * blocks + b) * 64, weights);
            for (uint32_t k = 0; k < Line::depth; k++) {
                store(out + ((line * Line::depth + k) * blocks + b) * blockRows, weights[k]);
            }
        }
    }
}

/// Many tokens: pieces of the panel are expanded to f32 once and stay in L1 while all tokens pass over them.
template <class Line> static void multiplyExpanded(const MatrixProduct &m) {
    const char *panel = static_cast<const char *>(m.panel);
    const uint32_t allLines = (m.depth + Line::depth - 1) / Line::depth;
    constexpr uint32_t linesAtOnce = expandedDepth / Line::depth;
    for (uint32_t first = 0; first < allLines; first += linesAtOnce) {
        const uint32_t lines = allLines - first < linesAtOnce ? allLines - first : linesAtOnce;
        expandPanel<Line>(panel + static_cast<size_t>(first) * m.blocks * 64, m.blocks, lines, m.scratch);
        const PanelProduct product{reinterpret_cast<const char *>(m.scratch),
                                   m.blocks * size_t{64},
                                   lines * Line::depth,
                                   m.x + static_cast<size_t>(first) * Line::depth,
                                   m.xStride,
                                   m.y,
                                   m.yStride};
        if (first == 0) {
            allTokens<F32Line, false>(product, m.blocks, m.tokens);
        } else {
            allTokens<F32Line, true>(product, m.blocks, m.tokens);
        }
    }
}

template <class Line> static void multiplyDirect(const MatrixProduct &m) {
    const PanelProduct product{static_cast<const char *>(m.panel),
                               m.blocks * size_t{64},
                               (m.depth + Line::depth - 1) / Line::depth,
                               m.x,
                               m.xStride,
                               m.y,
                               m.yStride};
    allTokens<Line, false>(product, m.blocks, m.tokens);
}

template <class Line> static void multiplyLines(const MatrixProduct &m) {
    if (m.tokens > tileTokens) {
        multiplyExpanded<Line>(m);
    } else {
        multiplyDirect<Line>(m);
    }
}

static void multiply(const MatrixProduct &m) {
    switch (m.format) {
    case WeightFormat::bf16:
        return multiplyLines<Bf16Line>(m);
    case WeightFormat::f16:
        return multiplyLines<F16Line>(m);
    case WeightFormat::f32:
        return multiplyLines<F32Line>(m);
    }
}
