#include "synthetic_maps.h"

#include <algorithm>

namespace synthetic {

namespace {

constexpr uint32_t longestRun = 6; ///< pages of one home side by side

}

std::vector<uint8_t> pattern(const std::vector<uint32_t> &counts, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<uint8_t> pages;
    for (size_t home = 0; home < counts.size(); home++) {
        pages.insert(pages.end(), counts[home], static_cast<uint8_t>(home));
    }
    std::ranges::shuffle(pages, random);
    uint32_t run = 0;
    for (auto page = pages.begin(); page != pages.end(); ++page) {
        run = page != pages.begin() && *page == *(page - 1) ? run + 1 : 1;
        const auto other = std::find_if(page, pages.end(), [&](uint8_t home) { return home != *page; });
        if (run > longestRun && other != pages.end()) {
            std::iter_swap(page, other);
            run = 1;
        }
    }
    return pages;
}

std::vector<uint8_t> fourHomes(uint64_t seed) { return pattern({448, 448, 448, 448}, seed); }
std::vector<uint8_t> twoHomes(uint64_t seed) { return pattern({768, 1024}, seed); }

} // namespace synthetic
