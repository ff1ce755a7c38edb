// Products of int8 weights on the tiles of AMX: 16 tokens by 16 rows by a group. A group's dot product is the same
// whole number, and what follows is done in the same order as in int8.inc.h, so the bits are the same, too.

#if defined(__AMX_INT8__)

/// Fewer tokens go by vectors: those were faster with 4, and as fast with 8.
constexpr uint32_t fewestTokensOfInt8Tiles = 9;

/// The whole numbers of up to runGroups groups: [group][block][token][row].
template <uint32_t Blocks> struct TileDots {
    alignas(64) int32_t of[runGroups][Blocks][tileRows][blockRows];
};

/// The dot products of one group.
template <uint32_t Blocks>
MK_INLINE void multiplyGroup(const char *lines, const QuantizedGroup *x, size_t xStride,
                             int32_t (&dots)[Blocks][tileRows][blockRows]) {
    constexpr size_t lineBytes = Blocks * 64;
    _tile_loadd(4, x->values, xStride);
    _tile_zero(0);
    _tile_loadd(5, lines, lineBytes);
    _tile_dpbsud(0, 4, 5);
    if constexpr (Blocks > 1) {
        _tile_zero(1);
        _tile_loadd(6, lines + 64, lineBytes);
        _tile_dpbsud(1, 4, 6);
    }
    if constexpr (Blocks > 2) {
        _tile_zero(2);
        _tile_loadd(7, lines + 128, lineBytes);
        _tile_dpbsud(2, 4, 7);
    }
    if constexpr (Blocks > 3) {
        _tile_zero(3);
        _tile_loadd(5, lines + 192, lineBytes);
        _tile_dpbsud(3, 4, 5);
    }
    _tile_stored(0, dots[0], 64);
    if constexpr (Blocks > 1) {
        _tile_stored(1, dots[1], 64);
    }
    if constexpr (Blocks > 2) {
        _tile_stored(2, dots[2], 64);
    }
    if constexpr (Blocks > 3) {
        _tile_stored(3, dots[3], 64);
    }
}

/// A group's dots in one row of tokens, as f32 times the weights' scale.
MK_INLINE Vector scaledDots(const int32_t *dots, int32_t correction, Vector scale) {
    IntVector sums;
    __builtin_memcpy(&sums.part[0], dots, sizeof(Int));
    sums.part[0] += correction - Int{};
    return toFloats(sums) * scale;
}

/// Adds a run of `Groups` groups to the rows of y, or begins them.
template <uint32_t Blocks, uint32_t Groups, bool Accumulate>
static void addTileRun(const TileDots<Blocks> &dots, const char *const (&scaleLines)[runGroups], const char *x,
                       size_t xStride, uint32_t tokens, float *y, size_t yStride) {
    Vector scales[Groups][Blocks];
#pragma GCC unroll 4
    for (uint32_t g = 0; g < Groups; g++) {
#pragma GCC unroll 4
        for (uint32_t b = 0; b < Blocks; b++) {
            const UnsignedVector pair = loadBits(scaleLines[g] + b * 64);
            scales[g][b] = fromBits(g % 2 == 1 ? bitAnd(pair, 0xffff0000u) : shiftLeft(pair, 16));
        }
    }
    for (uint32_t t = 0; t < tokens; t++, x += xStride, y += yStride) {
        const auto *groups = reinterpret_cast<const QuantizedGroup *>(x);
        const Vector scale = broadcast(groups->scale);
#pragma GCC unroll 4
        for (uint32_t b = 0; b < Blocks; b++) {
            Vector run = scaledDots(dots.of[0][b][t], groups[0].correction, scales[0][b]);
#pragma GCC unroll 4
            for (uint32_t g = 1; g < Groups; g++) {
                run = run + scaledDots(dots.of[g][b][t], groups[g].correction, scales[g][b]);
            }
            const Vector product = run * scale;
            store(y + b * blockRows, Accumulate ? load(y + b * blockRows) + product : product);
        }
    }
}

template <uint32_t Blocks, uint32_t Groups>
static void addTileRun(bool accumulate, const TileDots<Blocks> &dots, const char *const (&scaleLines)[runGroups],
                       const char *x, size_t xStride, uint32_t tokens, float *y, size_t yStride) {
    if (accumulate) {
        addTileRun<Blocks, Groups, true>(dots, scaleLines, x, xStride, tokens, y, yStride);
    } else {
        addTileRun<Blocks, Groups, false>(dots, scaleLines, x, xStride, tokens, y, yStride);
    }
}

/// Up to 16 tokens by a panel's blocks.
template <uint32_t Blocks> static void oneTileOfInt8(const MatrixProduct &m, uint32_t firstToken, uint32_t tokens) {
    constexpr size_t lineBytes = Blocks * 64;
    const uint32_t groups = (m.depth + groupDepth - 1) / groupDepth;
    const char *lines = static_cast<const char *>(m.panel);
    const char *x = static_cast<const char *>(m.x.rows) + firstToken * m.x.stride;
    float *y = m.y + firstToken * m.yStride;
    TileDots<Blocks> dots;
    for (uint32_t first = 0; first < groups; first += runGroups, x += runGroups * sizeof(QuantizedGroup)) {
        const uint32_t count = groups - first < runGroups ? groups - first : runGroups;
        const char *scaleLines[runGroups] = {};
        for (uint32_t g = 0; g < count; g++) {
            if (g % 2 == 0) {
                scaleLines[g] = lines;
                lines += lineBytes;
            } else {
                scaleLines[g] = scaleLines[g - 1];
            }
            multiplyGroup<Blocks>(lines, reinterpret_cast<const QuantizedGroup *>(x) + g, m.x.stride, dots.of[g]);
            lines += groupDepth / 4 * lineBytes;
        }
        switch (count) {
        case 1:
            addTileRun<Blocks, 1>(first > 0, dots, scaleLines, x, m.x.stride, tokens, y, m.yStride);
            break;
        case 2:
            addTileRun<Blocks, 2>(first > 0, dots, scaleLines, x, m.x.stride, tokens, y, m.yStride);
            break;
        case 3:
            addTileRun<Blocks, 3>(first > 0, dots, scaleLines, x, m.x.stride, tokens, y, m.yStride);
            break;
        default:
            addTileRun<Blocks, 4>(first > 0, dots, scaleLines, x, m.x.stride, tokens, y, m.yStride);
        }
    }
}

static void multiplyInt8Tiles(const MatrixProduct &m) {
    for (uint32_t first = 0; first < m.tokens; first += tileRows) {
        const uint32_t left = m.tokens - first, tokens = left < tileRows ? left : tileRows;
        if (tokens < fewestTokensOfInt8Tiles) {
            MatrixProduct last = m;
            last.tokens = tokens;
            last.x.rows = static_cast<const char *>(m.x.rows) + first * m.x.stride;
            last.y += first * m.yStride;
            return multiplyInt8(last);
        }
        shapeTiles(TileUse::groups, tokens);
        switch (m.blocks) {
        case 1:
            oneTileOfInt8<1>(m, first, tokens);
            break;
        case 2:
            oneTileOfInt8<2>(m, first, tokens);
            break;
        case 3:
            oneTileOfInt8<3>(m, first, tokens);
            break;
        default:
            oneTileOfInt8<4>(m, first, tokens);
        }
    }
}

#endif
