#pragma once

#include "tile_ring.h"

namespace monokernel::kernel {

/// Ampere and Ada: each lane copies 16-byte pieces into the ring. A fetch is a group of the lanes' copies, and groups
/// complete in order.
struct TileStage : TileRing {
    DEV_MEMBER void begin(Arguments &p) { beginRing(p); }
    /// Asks for the next fetch, into slot `to`. Copies by the lanes follow the wave's barrier; that they also follow
    /// the reads before it, which may still be under way, is made sure by an address that depends on these.
    DEV_MEMBER void fill(u32 to) {
        constexpr u32 pieceBytes = 16, waveBytes = waveLanes * pieceBytes;
        const u32 own = laneIndex() * pieceBytes, slotAt = ring + to * slotBytes + own + afterReads();
        const i32 left = static_cast<i32>(fetchBytes - own);
        waveSync();
#pragma unroll
        for (u32 offset = 0; offset < slotBytes; offset += waveBytes) {
            asm volatile("{\n\t.reg .pred inside;\n\tsetp.gt.s32 inside,%3,%4;\n\t"
                         "@inside cp.async.cg.shared.global.L2::cache_hint [%0+%4],[%1+%4],16,%2;\n\t}" ::"r"(slotAt),
                         "l"(from + own), "l"(policy), "r"(left), "n"(offset)
                         : "memory");
        }
        asm volatile("cp.async.commit_group;" ::: "memory");
        from += waves * fetchBytes;
    }
    /// Waits for the oldest fetch: all groups but those that the other slots were filled by.
    DEV_MEMBER void await() {
        if (slots == 2) { // the instruction takes a constant; of five slots one more is waited for
            awaitAllBut<1>();
        } else if (slots == 3) {
            awaitAllBut<2>();
        } else if (slots < 6) {
            awaitAllBut<3>();
        } else {
            awaitAllBut<5>();
        }
        waveSync(); // the other lanes' pieces are there too
        at = ring + slot * slotBytes;
    }
    /// All of the oldest fetch has been loaded, and best also multiplied: asks for another in its place.
    DEV_MEMBER void refill() {
        fill(slot);
        slot = slot + 1 == slots ? 0 : slot + 1;
    }
    /// Copies in flight must land before the workgroup leaves.
    DEV_MEMBER void end(Arguments &) { awaitAllBut<0>(); }

private:
    template <u32 newer> DEV_MEMBER static void awaitAllBut() {
        asm volatile("cp.async.wait_group %0;" ::"n"(newer) : "memory");
    }
};

} // namespace monokernel::kernel
