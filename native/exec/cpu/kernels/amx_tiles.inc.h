// Products of bf16 weights with activations rounded to bf16 on the tiles of AMX: 16 tokens by 16 rows by a depth of 32
// in one instruction. A panel's lines are what it wants of its right side as they lie: pairs along the depth, a row a
// word. Even and odd elements of a tile's depth are two chains, which are added to the sum: one token and many go the
// same way, so that keys and values do not depend on the width of a step.

#if defined(__AMX_BF16__)

constexpr uint32_t tileRows = 16;
constexpr uint32_t tileDepth = 32;
constexpr uint32_t tileLines = tileDepth / 2;
/// How far ahead a single tile of tokens fetches weights: a worker's panels follow each other.
constexpr size_t tilePrefetchBytes = 8192;

/// The memory form of a configuration, as the instruction set's manual lays it out.
struct TileConfiguration {
    uint8_t palette = 1, startRow = 0;
    uint8_t reserved[14] = {};
    uint16_t rowBytes[16] = {};
    uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfiguration) == 64);

/// What a thread's tiles are shaped for, sums in 0 to 3. `one`: `lastRows` tokens in 4, weights in 5 to 7, sums of four
/// blocks. `two`: 16 tokens in 4 and `lastRows` in 5, weights in 6 and 7, sums of two blocks each. `groups`: as `one`,
/// with a group of int8 in the place of a tile's depth.
enum class TileUse : uint8_t { none, one, two, groups };

/// Shapes this thread's tiles, which only these products use, unless they are shaped so already.
static void shapeTiles(TileUse use, uint32_t lastRows) {
    static thread_local TileUse shapedFor = TileUse::none;
    static thread_local uint32_t shapedRows = 0;
    if (shapedFor == use && shapedRows == lastRows) {
        return;
    }
    TileConfiguration configuration;
    for (uint32_t tile = 0; tile < 8; tile++) {
        const bool weights = tile > 5 || (tile == 5 && use != TileUse::two);
        const bool first = use == TileUse::two && (tile < 2 || tile == 4);
        const uint32_t weightRows = use == TileUse::groups ? groupDepth / 4 : tileRows;
        configuration.rowBytes[tile] = use == TileUse::groups && tile == 4 ? groupDepth : 64;
        configuration.rows[tile] = static_cast<uint8_t>(weights ? weightRows : first ? tileRows : lastRows);
    }
    _tile_loadconfig(&configuration);
    shapedFor = use;
    shapedRows = lastRows;
}

/// A panel and rows of activations, cut into tiles along the depth.
struct TiledProduct {
    const char *panel;
    size_t lineBytes;
    const char *x;
    size_t xStride; ///< bytes
    uint32_t steps;
    const char *lastLines; ///< the lines of the last step, where the panel ends within it; else null
    float *y;
    size_t yStride; ///< bytes

    const char *lines(uint32_t step) const {
        return lastLines != nullptr && step + 1 == steps ? lastLines : panel + step * tileLines * lineBytes;
    }
};

MK_INLINE float bf16At(const char *from) {
    uint16_t upper;
    __builtin_memcpy(&upper, from, sizeof upper);
    const uint32_t bits = static_cast<uint32_t>(upper) << 16;
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/// One token by vectors, in the arithmetic of the tiles: within a step a chain of the even and one of the odd elements,
/// whose products are exact, then both added to the sum. (Tiles also flush what is below 1.2e-38 to zero.) It streams
/// weights and does nothing else, and vectors do that faster: nano decoded 8 % slower by tiles, on two threads.
template <uint32_t Blocks> static void oneToken(const TiledProduct &p) {
    Vector sums[Blocks];
#pragma GCC unroll 4
    for (uint32_t b = 0; b < Blocks; b++) {
        sums[b] = broadcast(0.0f);
    }
    for (uint32_t step = 0; step < p.steps; step++) {
        const char *line = p.lines(step), *x = p.x + size_t{step} * 64;
        Vector even[Blocks], odd[Blocks];
#pragma GCC unroll 4
        for (uint32_t b = 0; b < Blocks; b++) {
            even[b] = odd[b] = broadcast(0.0f);
        }
#pragma GCC unroll 4
        for (uint32_t i = 0; i < tileLines; i++, line += p.lineBytes, x += 4) {
            const Vector xEven = broadcast(bf16At(x)), xOdd = broadcast(bf16At(x + 2));
#pragma GCC unroll 4
            for (uint32_t b = 0; b < Blocks; b++) {
                const UnsignedVector weights = loadBits(line + b * 64);
                __builtin_prefetch(line + b * 64 + tilePrefetchBytes);
                even[b] = fma(fromBits(shiftLeft(weights, 16)), xEven, even[b]);
                odd[b] = fma(fromBits(bitAnd(weights, 0xffff0000u)), xOdd, odd[b]);
            }
        }
#pragma GCC unroll 4
        for (uint32_t b = 0; b < Blocks; b++) {
            sums[b] = sums[b] + (even[b] + odd[b]);
        }
    }
#pragma GCC unroll 4
    for (uint32_t b = 0; b < Blocks; b++) {
        store(p.y + b * blockRows, sums[b]);
    }
}

/// Up to 16 tokens by up to four blocks.
template <uint32_t Blocks> static void oneTileOfTokens(const TiledProduct &p) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (uint32_t step = 0; step < p.steps; step++) {
        const char *lines = p.lines(step);
        for (uint32_t line = 0; line < tileLines * Blocks; line++) {
            __builtin_prefetch(lines + line * 64 + tilePrefetchBytes);
        }
        _tile_loadd(4, p.x + size_t{step} * 64, p.xStride);
        _tile_loadd(6, lines, p.lineBytes);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (Blocks > 1) {
            _tile_loadd(7, lines + 64, p.lineBytes);
            _tile_dpbf16ps(1, 4, 7);
        }
        if constexpr (Blocks > 2) {
            _tile_loadd(5, lines + 128, p.lineBytes);
            _tile_dpbf16ps(2, 4, 5);
        }
        if constexpr (Blocks > 3) {
            _tile_loadd(6, lines + 192, p.lineBytes);
            _tile_dpbf16ps(3, 4, 6);
        }
    }
    _tile_stored(0, p.y, p.yStride);
    if constexpr (Blocks > 1) {
        _tile_stored(1, p.y + blockRows, p.yStride);
    }
    if constexpr (Blocks > 2) {
        _tile_stored(2, p.y + 2 * blockRows, p.yStride);
    }
    if constexpr (Blocks > 3) {
        _tile_stored(3, p.y + 3 * blockRows, p.yStride);
    }
}

/// 17 to 32 tokens by one or two blocks from block `first` on.
template <uint32_t Blocks> static void twoTilesOfTokens(const TiledProduct &p, uint32_t first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const char *x = p.x, *more = p.x + tileRows * p.xStride;
    for (uint32_t step = 0; step < p.steps; step++, x += 64, more += 64) {
        const char *lines = p.lines(step) + first * 64;
        _tile_loadd(4, x, p.xStride);
        _tile_loadd(5, more, p.xStride);
        _tile_loadd(6, lines, p.lineBytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(2, 5, 6);
        if constexpr (Blocks > 1) {
            _tile_loadd(7, lines + 64, p.lineBytes);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    float *y = p.y + first * blockRows;
    float *later = y + tileRows * p.yStride / sizeof(float);
    _tile_stored(0, y, p.yStride);
    _tile_stored(2, later, p.yStride);
    if constexpr (Blocks > 1) {
        _tile_stored(1, y + blockRows, p.yStride);
        _tile_stored(3, later + blockRows, p.yStride);
    }
}

/// Rows rounded to bf16, with zeros up to a whole tile's depth, each on cache lines of its own and an odd number of
/// them from the next: a tile's rows are loaded at once.
static Operand roundToTiles(uint32_t depth, const float *x, size_t xStride, uint32_t begin, uint32_t end, char *out) {
    const size_t row = roundUp(depth, tileDepth) * 2, odd = row | 64;
    const size_t stride = odd <= operandStride(depth) ? odd : row;
    const size_t filled = roundUp(depth, 16) * 2;
    for (uint32_t t = begin; t < end; t++) {
        roundToBf16(x + t * xStride, depth, out + t * stride);
        __builtin_memset(out + t * stride + filled, 0, row - filled);
    }
    return {out, stride};
}

/// The lines of the last step, filled up with zeros, where the panel does not have all of them.
static const char *fillLastLines(const MatrixProduct &m, uint32_t steps, char *out) {
    const uint32_t lines = (m.depth + 1) / 2, begin = (steps - 1) * tileLines;
    if (lines == steps * tileLines) {
        return nullptr;
    }
    const size_t lineBytes = m.blocks * size_t{64}, there = (lines - begin) * lineBytes;
    __builtin_memcpy(out, static_cast<const char *>(m.panel) + begin * lineBytes, there);
    __builtin_memset(out + there, 0, tileLines * lineBytes - there);
    return out;
}

/// Up to 16.
template <uint32_t Blocks> static void lastTokens(const TiledProduct &p, uint32_t tokens) {
    if (tokens == 1) {
        oneToken<Blocks>(p);
    } else if (tokens > 1) {
        oneTileOfTokens<Blocks>(p);
    }
}

static void multiplyBf16Tiles(const MatrixProduct &m) {
    const uint32_t steps = (m.depth + tileDepth - 1) / tileDepth;
    alignas(64) char last[tileLines * panelBlocks * 64];
    TiledProduct p{static_cast<const char *>(m.panel),
                   m.blocks * size_t{64},
                   static_cast<const char *>(m.x.rows),
                   m.x.stride,
                   steps,
                   fillLastLines(m, steps, last),
                   m.y,
                   m.yStride * sizeof(float)};
    uint32_t tokens = m.tokens;
    while (tokens > tileRows) {
        const uint32_t taken = tokens < 2 * tileRows ? tokens : 2 * tileRows;
        shapeTiles(TileUse::two, taken - tileRows);
        for (uint32_t block = 0; block + 1 < m.blocks; block += 2) {
            twoTilesOfTokens<2>(p, block);
        }
        if (m.blocks % 2 == 1) {
            twoTilesOfTokens<1>(p, m.blocks - 1);
        }
        p.x += taken * p.xStride;
        p.y += taken * m.yStride;
        tokens -= taken;
    }
    if (tokens > 1) {
        shapeTiles(TileUse::one, tokens);
    }
    switch (m.blocks) {
    case 1:
        return lastTokens<1>(p, tokens);
    case 2:
        return lastTokens<2>(p, tokens);
    case 3:
        return lastTokens<3>(p, tokens);
    default:
        return lastTokens<4>(p, tokens);
    }
}

#endif
