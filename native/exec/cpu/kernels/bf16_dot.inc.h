// Products of bf16 weights with activations rounded to bf16, by the dot instruction: sums[row] += w[k+1] x[k+1], then
// += w[k] x[k]. One token and many go the same way, so that keys and values do not depend on the width of a step.

#if defined(__AVX512BF16__)

/// Depth of a piece of a panel that stays in L1 while all tokens pass over it: 64 rows x 256 x 2 bytes.
constexpr uint32_t bf16PieceDepth = 256;

struct Bf16DotLine {
    using X = uint32_t; ///< a pair of bf16
    static constexpr uint32_t mostTokens = 6;
    static constexpr uint32_t askedLines = 1;
    static constexpr uint32_t blocks(uint32_t tokens) { return tokens > 0 ? panelBlocks : 0; }

    template <uint32_t Blocks, uint32_t Tokens, bool Accumulate> static void tile(PanelProduct<uint32_t> p) {
        Vector sums[Blocks][Tokens];
        startSums<Accumulate>(sums, p.y, p.yStride);
        for (uint32_t line = 0; line < p.lines; line++) {
            if (Tokens > 1 && p.asked != nullptr) {
                __builtin_prefetch(p.asked + line * size_t{64}, 0, 2);
            }
            __m512bh weights[Blocks];
#pragma GCC unroll 8
            for (uint32_t b = 0; b < Blocks; b++) {
                weights[b] = (__m512bh)_mm512_loadu_si512(p.panel + b * 64);
                if constexpr (Tokens == 1) {
                    prefetchWeights(p.panel + b * 64);
                }
            }
#pragma GCC unroll 8
            for (uint32_t t = 0; t < Tokens; t++) {
                const __m512bh value = (__m512bh)_mm512_set1_epi32(static_cast<int>(p.x[t * p.xStride]));
#pragma GCC unroll 8
                for (uint32_t b = 0; b < Blocks; b++) {
                    sums[b][t].part[0] = (Float)_mm512_dpbf16_ps((__m512)sums[b][t].part[0], weights[b], value);
                }
            }
            p.panel += p.lineStride;
            p.x++;
        }
        storeSums(sums, p.y, p.yStride);
    }
};

/// A row rounded to bf16, to the nearest, ties to even.
static void roundToBf16(const float *x, uint32_t depth, void *out) {
    for (uint32_t k = 0; k < depth; k += 16) {
        const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(x + k));
        __builtin_memcpy(static_cast<char *>(out) + size_t{k} * 2, &rounded, sizeof rounded);
    }
}

#if !defined(__AMX_BF16__)
static void multiplyBf16Dot(const MatrixProduct &m) {
    constexpr uint32_t linesAtOnce = bf16PieceDepth / 2;
    const uint32_t allLines = (m.depth + 1) / 2;
    const uint32_t atOnce = m.tokens > Bf16DotLine::mostTokens ? linesAtOnce : allLines;
    PanelProduct<uint32_t> p{static_cast<const char *>(m.panel),
                             m.blocks * size_t{64},
                             allLines < atOnce ? allLines : atOnce,
                             static_cast<const uint32_t *>(m.x.rows),
                             m.x.stride / sizeof(uint32_t),
                             m.y,
                             m.yStride};
    const size_t pieceBytes = p.lines * p.lineStride;
    Ahead ahead{p.panel + pieceBytes, m.tokens > Bf16DotLine::mostTokens ? pieceBytes : 0};
    allTokens<Bf16DotLine, false>(p, m.blocks, m.tokens, ahead);
    for (uint32_t first = p.lines; first < allLines; first += p.lines) {
        p.panel += pieceBytes;
        ahead.at += pieceBytes;
        p.x += p.lines;
        p.lines = allLines - first < atOnce ? allLines - first : atOnce;
        allTokens<Bf16DotLine, true>(p, m.blocks, m.tokens, ahead);
    }
}

#endif

#endif
