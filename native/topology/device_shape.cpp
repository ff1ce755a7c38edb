#include "topology/device_shape.h"

#include <algorithm>

namespace monokernel {

namespace {

constexpr uint32_t wholeMi300x = 304; ///< compute units: 8 dies of 38

} // namespace

std::vector<uint32_t> DeviceShape::unitHomes() const {
    std::vector<uint32_t> homeOf(computeUnits);
    for (uint32_t unit = 0; unit < computeUnits; unit++) {
        homeOf[unit] = homeOfUnit(unit);
    }
    return homeOf;
}

DeviceShape deviceShape(std::string_view target, uint32_t computeUnits) {
    if (target == "gfx942" && computeUnits == wholeMi300x) {
        return {.computeDies = 8, .computeUnits = computeUnits, .homes = 4, .stacksPerHome = 2};
    }
    return {.computeDies = 1, .computeUnits = std::max(1u, computeUnits), .homes = 1, .stacksPerHome = 0};
}

} // namespace monokernel
