#pragma once

#include <cstdint>
#include <vector>

namespace monokernel {

/// The home of each page of a device's memory. Under the usual interleave (NPS1) a page of 4 KiB lies wholly at one
/// home, and the homes repeat with a period; an allocation begins somewhere in it (its rotation). The identity map
/// has no homes: it tells no page from the next.
class PageMap {
public:
    static constexpr uint64_t pageBytes = 4096;
    static constexpr uint32_t maxHomes = 16;
    static constexpr uint32_t maxPeriod = 1u << 20;

    /// The identity map.
    PageMap() = default;
    /// `pattern` holds the homes (0 .. homes - 1) of one period. Throws std::invalid_argument where it does not.
    PageMap(uint32_t homes, std::vector<uint8_t> pattern, uint32_t rotation = 0);

    bool isIdentity() const { return pattern_.empty(); }
    uint32_t homes() const { return homes_; }
    uint32_t period() const { return static_cast<uint32_t>(pattern_.size()); }
    uint32_t rotation() const { return rotation_; }
    const std::vector<uint8_t> &pattern() const { return pattern_; }
    uint32_t homeOf(uint64_t page) const {
        return pattern_.empty() ? 0 : pattern_[(page + rotation_) % pattern_.size()];
    }
    /// The map of an allocation whose page 0 is page `rotation` of the pattern.
    PageMap rotated(uint32_t rotation) const;
    /// Pages of each home in one period; the identity map's one home has one.
    std::vector<uint32_t> pagesOfHomes() const;

private:
    uint32_t homes_ = 1;
    uint32_t rotation_ = 0;
    std::vector<uint8_t> pattern_;
};

} // namespace monokernel
