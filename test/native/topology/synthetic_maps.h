#pragma once

#include "topology/page_votes.h"

#include <cstdint>
#include <random>
#include <vector>

namespace synthetic {

/// One period with `counts[home]` pages of each home in random order, no more than six neighbours of one home: the
/// shape of the maps published for AMD's dies (ROCm/fleet-chiplet-megakernel, aid_period_map).
std::vector<uint8_t> pattern(const std::vector<uint32_t> &counts, uint64_t seed);

/// 1,792 pages, 448 of each of four homes: MI300X. And 768 to 1,024 of two: the published split.
std::vector<uint8_t> fourHomes(uint64_t seed);
std::vector<uint8_t> twoHomes(uint64_t seed);

/// What a calibration would measure of `pages` pages.
struct Timings {
    double local = 690, remote = 1180; ///< ticks
    double noise = 0;                  ///< standard deviation, ticks
    double outliers = 0;               ///< share of round trips that take three to ten times as long
    double lost = 0;                   ///< share of round trips without a time
    double slowest = 0;                ///< ticks by which the last probe is slower as a whole
    uint32_t rounds = 5;
};

/// `homeOf(page)` is the true home.
template <class HomeOf>
monokernel::PingPong measure(uint32_t homes, uint32_t pages, const Timings &timings, uint64_t seed, HomeOf homeOf) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> noise(0.0, 1.0);
    std::uniform_real_distribution<double> chance(0.0, 1.0);
    monokernel::PingPong result{timings.rounds, homes, pages, {}};
    for (uint32_t round = 0; round < timings.rounds; round++) {
        for (uint32_t probe = 0; probe < homes; probe++) {
            for (uint32_t page = 0; page < pages; page++) {
                double ticks = homeOf(page) == probe ? timings.local : timings.remote;
                ticks += timings.noise * noise(random) + timings.slowest * probe / homes;
                ticks *= chance(random) < timings.outliers ? 3.0 + 7.0 * chance(random) : 1.0;
                const bool lost = chance(random) < timings.lost;
                result.ticks.push_back(lost || ticks < 1.0 ? 0 : static_cast<uint32_t>(ticks));
            }
        }
    }
    return result;
}

} // namespace synthetic
