#pragma once

#include "topology/page_map.h"
#include "topology/page_votes.h"

#include <optional>
#include <span>
#include <string>

namespace monokernel {

/// A page map and how sure it is. Where the votes are not clear, do not repeat, or leave a home out, the map is the
/// identity, which is never wrong, and `reason` says why.
struct PageFit {
    PageMap map;
    double confidence = 0.0; ///< share of the voted pages that the map gets right
    std::string reason;      ///< for people
};

/// Fits a periodic pattern to the votes of contiguous pages, which should span at least three periods: the smallest
/// period at which nearly as many pages as at the best one agree with the page one period on, then each place's most
/// frequent home. After the finding on gfx950 that homes repeat every 1,792 pages (ROCm/fleet-chiplet-megakernel,
/// aid_period_map).
PageFit fitPages(const PageVotes &votes);

/// A page of an allocation whose home has been measured.
struct ProbedPage {
    uint64_t page;
    uint8_t home;
};

/// The rotation at which `map` explains the probed pages; nothing when fewer than 9 of 10 agree, or another rotation
/// does nearly as well. A few dozen pages suffice.
std::optional<uint32_t> findRotation(const PageMap &map, std::span<const ProbedPage> probed);

} // namespace monokernel
