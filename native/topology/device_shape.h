#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace monokernel {

/// How a device is put together, as far as placement cares. A home is a part of the memory that some compute units are
/// nearer to than others: an I/O die of an MI300X with its HBM stacks, a half of Hopper's L2.
struct DeviceShape {
    uint32_t computeDies = 1;   ///< MI300X: XCDs, each with an L2 of its own
    uint32_t computeUnits = 1;  ///< of the whole device, the same number on each die
    uint32_t homes = 1;         ///< MI300X: I/O dies
    uint32_t stacksPerHome = 0; ///< HBM stacks; 0: not known

    uint32_t unitsPerDie() const { return computeUnits / computeDies; }
    /// Dies 2i and 2i + 1 of an MI300X sit on I/O die i.
    uint32_t homeOfDie(uint32_t die) const { return die * homes / computeDies; }
    uint32_t homeOfUnit(uint32_t unit) const { return homeOfDie(unit / unitsPerDie()); }
    /// homeOfUnit for every unit.
    std::vector<uint32_t> unitHomes() const;
};

/// The shape of a device of `target` ("gfx942", "sm_90", "sm_80") with so many compute units. A gfx942 device that is
/// not a whole MI300X (a partition, another product) counts as one die, because its dies' numbers are not known.
DeviceShape deviceShape(std::string_view target, uint32_t computeUnits);

} // namespace monokernel
