// Which memory is near which die: in each page, two workgroups of neighbouring dies hand a word to and fro and keep the
// quickest round trip. Every pair of dies visits every page; where the page is at home, the trip is short. A program of
// its own beside the monokernel, on the same device layer; exec/gpu/page_calibration.h runs it and reads the result.
// After the ping-pong classifier of ROCm/fleet-chiplet-megakernel (tasks/mi300).

#include "page_homes.h"
#include "clock.h"

namespace monokernel::kernel {

/// One side of a pair: which pages it visits, whether it serves, and whether a wait has failed.
struct Player {
    u32 probe, pair;
    bool serves, failed;
};

/// Waits until the word is `value`; false, and the abort word set, when that takes too long or another wait has failed.
DEV bool awaitWord(const PageHomesParameters &p, GLOBAL const u64 *word, u64 value) {
    for (u32 spins = 1; pollWord(word) != value; spins++) {
        if ((spins & 255) == 0 && pollWord(global<const u64>(p.abort)) != 0) {
            return false;
        }
        if (spins >= p.spinLimit) {
            setIfZero(global<u64>(p.abort), 1);
            return false;
        }
    }
    return true;
}

/// The round trips of one page in one round: the quickest, in ticks; 0 for the side that returns the word.
DEV u32 play(const PageHomesParameters &p, Player &player, u32 page, u32 round) {
    GLOBAL u64 *word = global<u64>(p.pages + static_cast<u64>(page) * p.pageBytes + player.probe * pageHomesLineBytes);
    u64 best = ~0ull;
    for (u32 trip = 0; trip < p.trips && !player.failed; trip++) {
        const u64 there = 2ull * (static_cast<u64>(round) * p.trips + trip) + 1, back = there + 1;
        if (player.serves) {
            const u64 start = tickClock();
            publishWord(word, there);
            player.failed = !awaitWord(p, word, back);
            const u64 ticks = tickClock() - start;
            best = ticks < best ? ticks : best;
        } else {
            player.failed = !awaitWord(p, word, there);
            publishWord(word, back);
        }
    }
    const bool counts = player.serves && !player.failed && best < 0xffffffffull;
    return counts ? static_cast<u32>(best) + (best == 0 ? 1 : 0) : 0; // 0 stands for no time
}

/// Roles come from tickets: on a device with dies one counter a die, dies 2i and 2i + 1 being the sides of probe i;
/// else one counter, neighbours being a pair. False for a workgroup that is one too many.
DEV bool takeSeat(const PageHomesParameters &p, Player &player) {
    const u32 die = p.dies > 1 ? xccIndex() : 0;
    if (die >= p.dies) {
        return false;
    }
    const u32 ticket = takeTicket(global<u32>(p.tickets) + die * 32);
    const bool hasDies = p.dies > 1;
    player.failed = false;
    player.serves = ((hasDies ? die : ticket) & 1) == 0;
    player.probe = hasDies ? die >> 1 : (ticket >> 1) % p.probes;
    player.pair = hasDies ? ticket : (ticket >> 1) / p.probes;
    return player.pair < p.pairs && player.probe < p.probes;
}

DEV void visitPages(const PageHomesParameters &p, Player &player) {
    const bool tells = player.serves && player.probe == 0 && player.pair == 0;
    GLOBAL u64 *clocks = global<u64>(p.clocks);
    if (tells) {
        publishWord(clocks, tickClock());
        publishWord(clocks + 1, wallClock());
    }
    for (u32 round = 0; round < p.rounds; round++) {
        for (u32 page = player.pair; page < p.pageCount && !player.failed; page += p.pairs) {
            const u32 ticks = play(p, player, page, round);
            if (player.serves) {
                global<u32>(p.ticks)[(static_cast<u64>(round) * p.probes + player.probe) * p.pageCount + page] = ticks;
            }
        }
    }
    if (tells) {
        publishWord(clocks + 2, tickClock());
        publishWord(clocks + 3, wallClock());
    }
}

/// The only entry point; the drivers look for this name.
KERNEL_ENTRY void monokernel(const PageHomesParameters p) {
    if (threadIndex() != 0) {
        return;
    }
    Player player;
    if (takeSeat(p, player)) {
        visitPages(p, player);
    } else {
        setIfZero(global<u64>(p.abort), 2);
    }
}

} // namespace monokernel::kernel
