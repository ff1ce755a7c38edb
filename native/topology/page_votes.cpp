#include "topology/page_votes.h"

#include "topology/page_map.h"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

namespace monokernel {

namespace {

/// The value below which a part `share` of `values` lies; 0 for none. Reorders them.
double quantile(std::vector<uint32_t> &values, double share) {
    if (values.empty()) {
        return 0.0;
    }
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

/// A probe's quick and slow round trips: the tenth and ninetieth of a hundred, so that outliers do not count.
struct Spread {
    double quick, range;

    double place(uint32_t ticks) const { return (ticks - quick) / range; }
};

std::vector<Spread> spreads(const PingPong &timings) {
    std::vector<Spread> all;
    for (uint32_t probe = 0; probe < timings.probes; probe++) {
        std::vector<uint32_t> values;
        for (uint32_t round = 0; round < timings.rounds; round++) {
            for (uint32_t page = 0; page < timings.pages; page++) {
                if (const uint32_t ticks = timings.at(round, probe, page); ticks != 0) {
                    values.push_back(ticks);
                }
            }
        }
        const double quick = quantile(values, 0.1);
        all.push_back({quick, std::max(1.0, quantile(values, 0.9) - quick)});
    }
    return all;
}

/// The quickest probe of a page in one round; unknownHome if one of them has no time.
uint8_t vote(const PingPong &timings, const std::vector<Spread> &spread, uint32_t round, uint32_t page) {
    double best = std::numeric_limits<double>::infinity();
    uint8_t home = unknownHome;
    for (uint32_t probe = 0; probe < timings.probes; probe++) {
        const uint32_t ticks = timings.at(round, probe, page);
        if (ticks == 0) {
            return unknownHome;
        }
        if (const double place = spread[probe].place(ticks); place < best) {
            best = place;
            home = static_cast<uint8_t>(probe);
        }
    }
    return home;
}

void measureDistance(const PingPong &timings, PageVotes &votes) {
    std::vector<uint32_t> local, remote;
    for (uint32_t round = 0; round < timings.rounds; round++) {
        for (uint32_t probe = 0; probe < timings.probes; probe++) {
            for (uint32_t page = 0; page < timings.pages; page++) {
                const uint32_t ticks = timings.at(round, probe, page);
                if (ticks != 0 && votes.homeOf[page] != unknownHome) {
                    (votes.homeOf[page] == probe ? local : remote).push_back(ticks);
                }
            }
        }
    }
    votes.localTicks = quantile(local, 0.5);
    votes.remoteTicks = quantile(remote, 0.5);
}

} // namespace

PageVotes votePages(const PingPong &timings) {
    if (timings.probes < 2 || timings.probes > PageMap::maxHomes ||
        timings.ticks.size() != uint64_t{timings.rounds} * timings.probes * timings.pages) {
        throw std::invalid_argument("ping-pong timings must be rounds x probes x pages, of 2 to 16 probes");
    }
    const std::vector<Spread> spread = spreads(timings);
    PageVotes result{timings.probes, std::vector<uint8_t>(timings.pages, unknownHome), 0.0, 0.0, 0.0};
    uint64_t agreeing = 0, all = 0;
    for (uint32_t page = 0; page < timings.pages; page++) {
        std::array<uint32_t, PageMap::maxHomes> count{};
        uint32_t known = 0;
        for (uint32_t round = 0; round < timings.rounds; round++) {
            if (const uint8_t home = vote(timings, spread, round, page); home != unknownHome) {
                count[home]++;
                known++;
            }
        }
        const auto *most = std::ranges::max_element(count);
        agreeing += *most;
        all += known;
        if (known > 0 && 3 * *most > 2 * known) {
            result.homeOf[page] = static_cast<uint8_t>(most - count.begin());
        }
    }
    result.agreement = all == 0 ? 0.0 : static_cast<double>(agreeing) / static_cast<double>(all);
    measureDistance(timings, result);
    return result;
}

} // namespace monokernel
