#pragma once

#include "tile_ring.h"

namespace monokernel::kernel {

/// From Hopper on: the bulk copy engine fills the ring. Each slot has an mbarrier that completes when its tiles are
/// there.
struct TileStage : TileRing {
    u32 barriers; ///< this wave's, a shared-memory byte address
    u32 phase;    ///< that the next slot's mbarrier is in

    DEV_MEMBER void begin(Arguments &p) {
        beginRing(p);
        barriers = sharedAddress(shared(p.ringOffset)) + waves * slots * slotBytes + waveIndex() * slots * 8;
        phase = 0;
        if (laneIndex() == 0) {
            for (u32 i = 0; i < slots; i++) {
                asm volatile("mbarrier.init.shared::cta.b64 [%0],1;" ::"r"(barriers + i * 8) : "memory");
            }
            asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        }
        waveSync();
    }
    /// Asks for the next fetch, into slot `to`: by one lane, without a branch.
    DEV_MEMBER void fill(u32 to) {
        // The copy engine does not of itself wait for the wave's reads of the slot. Measured: it overtook them where
        // the kernel was short of registers, in 16 % of prompts. A fence would wait for more than those (1 % of
        // decode). So the copy depends on what was read.
        const u32 bytes = fetchBytes + afterReads();
        waveSync();
        asm volatile("{\n\t.reg .pred first;\n\tsetp.eq.u32 first,%5,0;\n\t"
                     "@first mbarrier.arrive.expect_tx.shared::cta.b64 _,[%3],%2;\n\t"
                     "@first cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
                     "[%0],[%1],%2,[%3],%4;\n\t}" ::"r"(ring + to * slotBytes),
                     "l"(from), "r"(bytes), "r"(barriers + to * 8), "l"(policy), "r"(laneIndex())
                     : "memory");
        from += waves * fetchBytes;
    }
    /// Waits for the oldest fetch.
    DEV_MEMBER void await() {
        asm volatile(
            "{\n\t.reg .pred arrived;\n"
            "again_%=:\n\tmbarrier.try_wait.parity.shared::cta.b64 arrived,[%0],%1;\n\t@!arrived bra again_%=;\n\t}" ::
                "r"(barriers + slot * 8),
            "r"(phase)
            : "memory");
        at = ring + slot * slotBytes;
    }
    /// All of the oldest fetch has been loaded, and best also multiplied: asks for another in its place.
    DEV_MEMBER void refill() {
        fill(slot);
        advance();
    }
    DEV_MEMBER void advance() {
        slot++;
        if (slot == slots) {
            slot = 0;
            phase ^= 1;
        }
    }
    /// Copies in flight must land before the workgroup leaves.
    DEV_MEMBER void end(Arguments &) {
        for (u32 i = 0; i < slots; i++) {
            await();
            advance();
        }
    }
};

} // namespace monokernel::kernel
