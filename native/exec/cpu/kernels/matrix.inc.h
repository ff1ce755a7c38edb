// Matrix products over packed panels. Lanes of a vector are rows of the weight, x is broadcast: no horizontal sums, one
// FMA chain an output. A register tile holds tileBlocks x tokens accumulators.

/// How far ahead of a single token's pass the next panels are fetched; a worker's panels follow each other, so this
/// also fetches the next phase's. Measured on Intel with weights in memory: 10 to 40 % faster than the hardware's
/// prefetch alone, and flat from 4 to 16 KiB. On AMD no difference was seen that turns of one series do not have too
/// (docs/performance.md), so there the hardware's is left to it.
constexpr size_t prefetchBytes = 8192;

MK_INLINE void prefetchWeights([[maybe_unused]] const char *line) {
#if !defined(__AVX512BF16__)
    __builtin_prefetch(line + prefetchBytes);
#endif
}

/// Most tokens of a register tile of f32 sums.
constexpr uint32_t tileTokens = 6;

/// A panel's worth of operands for a tile: rows of `X`, `lines` lines that are lineStride bytes apart.
template <class X> struct PanelProduct {
    const char *panel;
    size_t lineStride;
    uint32_t lines;
    const X *x;
    size_t xStride; ///< in X
    float *y;
    size_t yStride;
    const char *asked = nullptr; ///< what a tile of several tokens asks for into the L2 (Ahead)
};

/// A tile's sums: zeros, or what is in y.
template <bool Accumulate, uint32_t Blocks, uint32_t Tokens>
MK_INLINE void startSums(Vector (&sums)[Blocks][Tokens], const float *y, size_t yStride) {
#pragma GCC unroll 8
    for (uint32_t b = 0; b < Blocks; b++) {
#pragma GCC unroll 8
        for (uint32_t t = 0; t < Tokens; t++) {
            sums[b][t] = Accumulate ? load(y + t * yStride + b * blockRows) : broadcast(0.0f);
        }
    }
}

template <uint32_t Blocks, uint32_t Tokens>
MK_INLINE void storeSums(const Vector (&sums)[Blocks][Tokens], float *y, size_t yStride) {
#pragma GCC unroll 8
    for (uint32_t b = 0; b < Blocks; b++) {
#pragma GCC unroll 8
        for (uint32_t t = 0; t < Tokens; t++) {
            store(y + t * yStride + b * blockRows, sums[b][t]);
        }
    }
}

/// Register tiles of weights that are expanded to f32: Blocks x Tokens chains of fused multiply-adds. `Line` says how a
/// line expands.
template <class Line> struct FusedTiles {
    using X = float;
    static constexpr uint32_t mostTokens = tileTokens;
    static constexpr uint32_t askedLines = 0;

    /// Blocks of a tile of `tokens` tokens: as many accumulators as the registers hold beside weights and x.
    static constexpr uint32_t blocks(uint32_t tokens) {
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

    template <uint32_t Blocks, uint32_t Tokens, bool Accumulate> static void tile(PanelProduct<float> p) {
        Vector sums[Blocks][Tokens];
        startSums<Accumulate>(sums, p.y, p.yStride);
        for (uint32_t line = 0; line < p.lines; line++) {
            Vector weights[Blocks][Line::depth];
#pragma GCC unroll 8
            for (uint32_t b = 0; b < Blocks; b++) {
                Line::expand(p.panel + b * 64, weights[b]);
                if constexpr (Tokens == 1) {
                    prefetchWeights(p.panel + b * 64);
                }
            }
#pragma GCC unroll 2
            for (uint32_t k = 0; k < Line::depth; k++) {
#pragma GCC unroll 8
                for (uint32_t t = 0; t < Tokens; t++) {
                    const Vector value = broadcast(p.x[t * p.xStride + k]);
#pragma GCC unroll 8
                    for (uint32_t b = 0; b < Blocks; b++) {
                        sums[b][t] = fma(weights[b][k], value, sums[b][t]);
                    }
                }
            }
            p.panel += p.lineStride;
            p.x += Line::depth;
        }
        storeSums(sums, p.y, p.yStride);
    }

private:
    FusedTiles() = default;
    friend Line;
};

struct Bf16Line : FusedTiles<Bf16Line> {
    static constexpr uint32_t depth = 2;
    MK_INLINE void expand(const char *line, Vector *out) {
        const UnsignedVector pairs = loadBits(line);
        out[0] = fromBits(shiftLeft(pairs, 16));
        out[1] = fromBits(bitAnd(pairs, 0xffff0000u));
    }
};

struct F32Line : FusedTiles<F32Line> {
    static constexpr uint32_t depth = 1;
    MK_INLINE void expand(const char *line, Vector *out) { out[0] = fromBits(loadBits(line)); }
};

struct F16Line : FusedTiles<F16Line> {
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

/// All blocks of a panel with `Tokens` tokens.
template <class Line, uint32_t Tokens, bool Accumulate>
static void allBlocks(PanelProduct<typename Line::X> p, uint32_t blocks) {
    constexpr uint32_t most = Line::blocks(Tokens);
    while (blocks >= most) {
        Line::template tile<most, Tokens, Accumulate>(p);
        p.panel += most * 64;
        p.y += most * blockRows;
        blocks -= most;
    }
    if constexpr (most > 2) {
        if (blocks >= 2) {
            Line::template tile<2, Tokens, Accumulate>(p);
            p.panel += 2 * 64;
            p.y += 2 * blockRows;
            blocks -= 2;
        }
    }
    if constexpr (most > 1) {
        if (blocks >= 1) {
            Line::template tile<1, Tokens, Accumulate>(p);
        }
    }
}

/// The last `tokens` tokens, at most `Most`.
template <class Line, bool Accumulate, uint32_t Most>
static void lastTokens(const PanelProduct<typename Line::X> &p, uint32_t blocks, uint32_t tokens) {
    if constexpr (Most > 0) {
        if (tokens == Most) {
            return allBlocks<Line, Most, Accumulate>(p, blocks);
        }
        lastTokens<Line, Accumulate, Most - 1>(p, blocks, tokens);
    }
}

/// Weights that are wanted soon, asked for into the L2 while tokens pass over a piece in the L1 and memory has nothing
/// else to do: a line with each line that a tile multiplies, as many at once hold up its loads (docs/performance.md).
/// They may end behind what there is, as nothing is read.
struct Ahead {
    const char *at = nullptr;
    size_t bytes = 0; ///< wanted next; products of many tiles ask for as much again behind it

    /// What is left to each of `tiles` that ask for `inTile` bytes by themselves.
    size_t rest(uint32_t tiles, size_t inTile) const {
        const size_t share = roundUp(bytes / tiles, 64);
        return share > inTile ? share - inTile : 0;
    }
    void ask(size_t now) {
        for (size_t i = 0; i < now; i += 64) {
            __builtin_prefetch(at + i, 0, 2);
        }
        at += now;
    }
};

template <class Line, bool Accumulate>
static void allTokens(PanelProduct<typename Line::X> p, uint32_t blocks, uint32_t tokens, Ahead ahead = {}) {
    constexpr uint32_t most = Line::mostTokens;
    const uint32_t tiles = (tokens + most - 1) / most;
    const size_t inTile = p.lines * size_t{Line::askedLines} * 64;
    const size_t rest = ahead.rest(tiles, inTile);
    const char *const end = ahead.at + 2 * ahead.bytes;
    const auto ask = [&] {
        ahead.ask(rest);
        p.asked = ahead.at < end ? ahead.at : nullptr;
        ahead.at += p.asked != nullptr ? inTile : 0;
    };
    for (; tokens >= most; tokens -= most) {
        ask();
        allBlocks<Line, most, Accumulate>(p, blocks);
        p.x += most * p.xStride;
        p.y += most * p.yStride;
    }
    if (tokens > 0) {
        ask();
        lastTokens<Line, Accumulate, most - 1>(p, blocks, tokens);
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
template <class Line>
static void multiplyExpanded(PanelProduct<float> p, uint32_t blocks, uint32_t tokens, float *piece) {
    constexpr uint32_t linesAtOnce = expandedDepth / Line::depth;
    for (uint32_t first = 0; first < p.lines; first += linesAtOnce) {
        const uint32_t lines = p.lines - first < linesAtOnce ? p.lines - first : linesAtOnce;
        expandPanel<Line>(p.panel + first * p.lineStride, blocks, lines, piece);
        const PanelProduct<float> product{reinterpret_cast<const char *>(piece),
                                          p.lineStride,
                                          lines * Line::depth,
                                          p.x + size_t{first} * Line::depth,
                                          p.xStride,
                                          p.y,
                                          p.yStride};
        if (first == 0) {
            allTokens<F32Line, false>(product, blocks, tokens);
        } else {
            allTokens<F32Line, true>(product, blocks, tokens);
        }
    }
}

template <class Line> static void multiplyFused(const MatrixProduct &m) {
    const PanelProduct<float> product{static_cast<const char *>(m.panel),
                                      m.blocks * size_t{64},
                                      (m.depth + Line::depth - 1) / Line::depth,
                                      static_cast<const float *>(m.x.rows),
                                      m.x.stride / sizeof(float),
                                      m.y,
                                      m.yStride};
    if (m.tokens > tileTokens) {
        multiplyExpanded<Line>(product, m.blocks, m.tokens, m.scratch);
    } else {
        allTokens<Line, false>(product, m.blocks, m.tokens);
    }
}
