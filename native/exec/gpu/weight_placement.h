#pragma once

#include "kernel/parameters.h"
#include "topology/page_map.h"

#include <cstdint>
#include <vector>

namespace monokernel {

/// Where the parts of the weight matrices lie on a paged target. A part is read by one workgroup only, in every step
/// anew, so its pages are such as are at home where that workgroup runs: roles are handed out die by die
/// (kernel/monokernel.cpp), which makes the die a function of the part. With the identity map, and where roles do not
/// tell dies apart, one page is as good as the next.

/// Parts that a layer of a matrix has on this device.
uint32_t partsOf(const kernel::Parameters &p, kernel::Matrix matrix);

/// The home of each part of a layer, by the map's homes; all 0 where roles do not tell dies apart.
std::vector<uint32_t> homesOfParts(const kernel::Parameters &p, kernel::Matrix matrix, const PageMap &map);

/// Pages that a layer of a matrix needs to have each part at home, wherever in the memory they begin. The matrix is cut
/// already, with its `partPages`.
uint64_t pagesOfLayer(const kernel::Parameters &p, kernel::Matrix matrix, const PageMap &map);

/// PackedMatrix::pages of one layer: partPages numbers a part, counted from Parameters::weights on, which begins at
/// the map's page 0. Takes none twice, and none outside the layer's memory.
std::vector<uint32_t> placeLayer(const kernel::Parameters &p, kernel::Matrix matrix, uint32_t layer,
                                 const PageMap &map);

} // namespace monokernel
