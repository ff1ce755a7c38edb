#pragma once

// DPP: the first source of a vector instruction comes from other lanes of its row of 16 or of the wave.

#include "runtime/lanes.h"

namespace gfx942 {

enum class Lanes : uint8_t {
    quad,
    mirror,
    rowShiftLeft,
    rowShiftRight,
    rowRotate,
    rowBroadcast, ///< 15: a row's last lane to the next row; 31: lane 31 to the upper half
    rowShare,
    waveShiftLeft,
    waveShiftRight,
    waveRotateLeft,
    waveRotate,
};

/// Source lane of `lane`, or -1 where there is none.
constexpr int sourceLane(Lanes control, int amount, int lane) {
    const int row = lane & ~15, place = lane & 15;
    switch (control) {
    case Lanes::quad:
        return (lane & ~3) + (amount >> (2 * (lane & 3)) & 3);
    case Lanes::mirror:
        return (lane & ~amount) + (amount - (lane & amount));
    case Lanes::rowShiftLeft:
        return place + amount < 16 ? lane + amount : -1;
    case Lanes::rowShiftRight:
        return place >= amount ? lane - amount : -1;
    case Lanes::rowRotate:
        return row + ((place - amount) & 15);
    case Lanes::rowBroadcast:
        return amount == 15 ? (lane >= 16 ? row - 1 : -1) : (lane >= 32 ? 31 : -1);
    case Lanes::rowShare:
        return row + amount;
    case Lanes::waveShiftLeft:
        return lane < 63 ? lane + 1 : -1;
    case Lanes::waveShiftRight:
        return lane - 1;
    case Lanes::waveRotateLeft:
        return (lane + 1) & 63;
    case Lanes::waveRotate:
        return (lane - 1) & 63;
    }
    return -1;
}

struct Shuffle {
    U value;
    u64 written; ///< lanes that the instruction writes
    u64 defined;
};

/// A lane whose source is missing or inactive gets 0 with `bound`, else it is not written.
[[gnu::noinline]] inline Shuffle shuffle(const Wave &w, u32 r, Lanes control, int amount, u32 rows, u32 banks,
                                         bool bound, u64 x) {
    Shuffle result{U{}, 0, 0};
    for (int lane = 0; lane < static_cast<int>(laneCount); lane++) {
        const u64 bit = 1ull << lane;
        const int from = sourceLane(control, amount, lane);
        const bool there = from >= 0 && (x >> from & 1);
        if (!(x & bit) || !(rows >> (lane >> 4) & 1) || !(banks >> (lane >> 2 & 3) & 1) || !(there || bound)) {
            continue;
        }
        result.written |= bit;
        result.value[lane] = there ? w.v[r][from] : 0;
        result.defined |= !there || (w.defined[r] >> from & 1) ? bit : 0;
    }
    return result;
}

} // namespace gfx942
