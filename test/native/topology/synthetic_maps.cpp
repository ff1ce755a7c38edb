#include "synthetic_maps.h"

#include <algorithm>

namespace synthetic {

std::vector<uint8_t> pattern(const std::vector<uint32_t> &counts, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<uint8_t> pages;
    for (size_t home = 0; home < counts.size(); home++) {
        pages.insert(pages.end(), counts[home], static_cast<uint8_t>(home));
    }
    std::ranges::shuffle(pages, random);
    for (size_t page = 6; page < pages.size();
         page++) { // a seventh neighbour changes places with a page of another home
        const auto run = std::ranges::find_if(pages.rbegin() + static_cast<std::ptrdiff_t>(pages.size() - page - 1),
                                              pages.rend(), [&](uint8_t home) { return home != pages[page]; });
        if (run - (pages.rbegin() + static_cast<std::ptrdiff_t>(pages.size() - page - 1)) > 6) {
            const auto other = std::ranges::find_if(pages.begin() + static_cast<std::ptrdiff_t>(page), pages.end(),
                                                    [&](uint8_t home) { return home != pages[page]; });
            if (other != pages.end()) {
                std::iter_swap(pages.begin() + static_cast<std::ptrdiff_t>(page), other);
            }
        }
    }
    return pages;
}

std::vector<uint8_t> fourHomes(uint64_t seed) { return pattern({448, 448, 448, 448}, seed); }
std::vector<uint8_t> twoHomes(uint64_t seed) { return pattern({768, 1024}, seed); }

} // namespace synthetic
