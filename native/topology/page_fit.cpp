#include "topology/page_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace monokernel {

namespace {

constexpr double leastAgreement = 0.85;  ///< of single votes; 5 rounds of noise over 4 probes give 0.5
constexpr double leastKnown = 0.9;       ///< share of pages with a result
constexpr double leastRepetition = 0.9;  ///< share of pages that agree with the one a period on
constexpr double asGoodAsBest = 0.02;    ///< a shorter period may be this much worse than the best one
constexpr double leastConfidence = 0.95; ///< share of pages that the fitted pattern gets right
constexpr double leastShare = 0.25;      ///< of a home's fair share of the pages
constexpr uint32_t leastPeriods = 3;
constexpr double clearLead = 0.1; ///< of the best rotation before the next

std::string percent(double share) { return std::to_string(std::lround(share * 100)) + " %"; }

PageFit identity(std::string reason) { return {PageMap(), 0.0, std::move(reason)}; }

/// Why these votes cannot be fitted; empty if they may.
std::string unfit(const PageVotes &votes) {
    std::array<uint64_t, PageMap::maxHomes> count{};
    uint64_t known = 0;
    for (const uint8_t home : votes.homeOf) {
        if (home < votes.homes) {
            count[home]++;
            known++;
        }
    }
    const double pages = static_cast<double>(votes.homeOf.size());
    if (votes.agreement < leastAgreement || static_cast<double>(known) < leastKnown * pages) {
        return "no usable structure: repeated measurements of a page agree in " + percent(votes.agreement) +
               " of the votes, " + percent(pages == 0 ? 0 : static_cast<double>(known) / pages) +
               " of the pages have a result";
    }
    for (uint32_t home = 0; home < votes.homes; home++) {
        if (static_cast<double>(count[home] * votes.homes) < leastShare * static_cast<double>(known)) {
            return "no usable structure: home " + std::to_string(home) + " has only " +
                   percent(static_cast<double>(count[home]) / static_cast<double>(known)) + " of the pages";
        }
    }
    return {};
}

/// The share of pages whose home is that of the page `period` on.
double repetition(const std::vector<uint8_t> &homeOf, size_t period) {
    uint64_t same = 0, both = 0;
    for (size_t page = 0; page + period < homeOf.size(); page++) {
        if (homeOf[page] != unknownHome && homeOf[page + period] != unknownHome) {
            both++;
            same += homeOf[page] == homeOf[page + period] ? 1 : 0;
        }
    }
    return both == 0 ? 0.0 : static_cast<double>(same) / static_cast<double>(both);
}

/// The smallest period that repeats about as well as the best; 0 if none repeats.
size_t findPeriod(const std::vector<uint8_t> &homeOf) {
    std::vector<double> shares{0.0};
    for (size_t period = 1; period <= homeOf.size() / leastPeriods; period++) {
        shares.push_back(repetition(homeOf, period));
    }
    const double best = *std::ranges::max_element(shares);
    if (best < leastRepetition) {
        return 0;
    }
    return static_cast<size_t>(
        std::ranges::find_if(shares, [&](double share) { return share >= best - asGoodAsBest; }) - shares.begin());
}

/// Each place's most frequent home; empty where a place has none.
std::vector<uint8_t> foldPattern(const std::vector<uint8_t> &homeOf, size_t period) {
    std::vector<uint8_t> pattern(period);
    for (size_t place = 0; place < period; place++) {
        std::array<uint32_t, PageMap::maxHomes> count{};
        for (size_t page = place; page < homeOf.size(); page += period) {
            if (homeOf[page] < count.size()) {
                count[homeOf[page]]++;
            }
        }
        const auto *most = std::ranges::max_element(count);
        if (*most == 0) {
            return {};
        }
        pattern[place] = static_cast<uint8_t>(most - count.begin());
    }
    return pattern;
}

double explained(const PageMap &map, const std::vector<uint8_t> &homeOf) {
    uint64_t right = 0, known = 0;
    for (size_t page = 0; page < homeOf.size(); page++) {
        if (homeOf[page] != unknownHome) {
            known++;
            right += map.homeOf(page) == homeOf[page] ? 1 : 0;
        }
    }
    return known == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(known);
}

} // namespace

PageFit fitPages(const PageVotes &votes) {
    if (std::string why = unfit(votes); !why.empty()) {
        return identity(std::move(why));
    }
    const size_t period = findPeriod(votes.homeOf);
    if (period == 0) {
        return identity("the pages have homes, but these do not repeat within " +
                        std::to_string(votes.homeOf.size() / leastPeriods) + " pages");
    }
    std::vector<uint8_t> pattern = foldPattern(votes.homeOf, period);
    if (pattern.empty()) {
        return identity("a page of the period of " + std::to_string(period) + " was never told apart");
    }
    PageFit fit{PageMap(votes.homes, std::move(pattern)), 0.0, {}};
    fit.confidence = explained(fit.map, votes.homeOf);
    if (fit.confidence < leastConfidence) {
        return identity("a period of " + std::to_string(period) + " pages explains only " + percent(fit.confidence) +
                        " of them");
    }
    fit.reason = "homes repeat every " + std::to_string(period) + " pages; " + percent(fit.confidence) +
                 " of the measured pages agree";
    return fit;
}

std::optional<uint32_t> findRotation(const PageMap &map, std::span<const ProbedPage> probed) {
    if (map.isIdentity() || probed.empty()) {
        return std::nullopt;
    }
    uint32_t best = 0, rotation = 0, next = 0;
    for (uint32_t tried = 0; tried < map.period(); tried++) {
        const PageMap rotated = map.rotated(tried);
        const auto right = static_cast<uint32_t>(
            std::ranges::count_if(probed, [&](const ProbedPage &at) { return rotated.homeOf(at.page) == at.home; }));
        next = std::max(next, std::min(right, best));
        if (right > best) {
            best = right;
            rotation = tried;
        }
    }
    const double count = static_cast<double>(probed.size());
    const bool clear = best >= leastRepetition * count && best - next >= clearLead * count;
    return clear ? std::optional(rotation) : std::nullopt;
}

} // namespace monokernel
