#pragma once

#include <cstdint>
#include <vector>

namespace monokernel {

/// Round trips of a flag inside a page between two workgroups of one die, as exec/gpu/page_calibration.h measures them:
/// `ticks[(round * probes + probe) * pages + page]`, in any unit, 0 where nothing was measured. Probe i sits at home i.
struct PingPong {
    uint32_t rounds = 0;
    uint32_t probes = 0;
    uint32_t pages = 0;
    std::vector<uint32_t> ticks;

    uint32_t at(uint32_t round, uint32_t probe, uint32_t page) const {
        return ticks[(uint64_t{round} * probes + probe) * pages + page];
    }
};

constexpr uint8_t unknownHome = 0xff;

/// What the timings say of each page.
struct PageVotes {
    uint32_t homes = 0;
    std::vector<uint8_t> homeOf; ///< a page's home, or unknownHome
    double agreement = 0.0;   ///< share of all single votes that are their page's result; 1 / homes by chance, or more
    double localTicks = 0.0;  ///< median round trip of a page's own probe ...
    double remoteTicks = 0.0; ///< ... and of the others; 0 where no page has a home
};

/// Each round votes for the probe that is quickest in the page, each probe measured by its own spread (a die may be
/// slower as a whole); a page's home is what more than two thirds of its rounds say. Throws std::invalid_argument when
/// the ticks are not rounds x probes x pages.
PageVotes votePages(const PingPong &timings);

} // namespace monokernel
