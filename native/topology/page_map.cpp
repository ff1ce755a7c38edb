#include "topology/page_map.h"

#include <algorithm>
#include <stdexcept>

namespace monokernel {

PageMap::PageMap(uint32_t homes, std::vector<uint8_t> pattern, uint32_t rotation)
    : homes_(homes), rotation_(rotation), pattern_(std::move(pattern)) {
    if (homes_ < 2 || homes_ > maxHomes || pattern_.empty() || pattern_.size() > maxPeriod) {
        throw std::invalid_argument("a page map needs 2 to 16 homes and a period of 1 to 1,048,576 pages");
    }
    if (std::ranges::any_of(pattern_, [&](uint8_t home) { return home >= homes_; })) {
        throw std::invalid_argument("a page map names a home that there is not");
    }
    rotation_ %= period();
}

PageMap PageMap::rotated(uint32_t rotation) const {
    PageMap map = *this;
    map.rotation_ = isIdentity() ? 0 : rotation % period();
    return map;
}

std::vector<uint32_t> PageMap::pagesOfHomes() const {
    std::vector<uint32_t> pages(homes_, isIdentity() ? 1 : 0);
    for (const uint8_t home : pattern_) {
        pages[home]++;
    }
    return pages;
}

} // namespace monokernel
