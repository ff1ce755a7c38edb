#include "exec/gpu/weight_placement.h"

#include "topology/page_placement.h"

namespace monokernel {

using kernel::PackedMatrix;
using kernel::Parameters;

static_assert(kernel::pageBytes == PageMap::pageBytes);

namespace {

bool allShare(const Parameters &p, kernel::Matrix matrix) {
    return matrix == kernel::matrixHead && p.headInput != kernel::headOwnLane;
}

} // namespace

uint32_t partsOf(const Parameters &p, kernel::Matrix matrix) {
    return allShare(p, matrix) ? p.workgroups : p.lanes * p.members;
}

std::vector<uint32_t> homesOfParts(const Parameters &p, kernel::Matrix matrix, const PageMap &map) {
    std::vector<uint32_t> homes(partsOf(p, matrix), 0);
    if (p.xccs < 2) {
        return homes;
    }
    const uint32_t groupsOfDie = p.workgroups / p.xccs;
    for (uint32_t part = 0; part < homes.size(); part++) {
        const uint32_t group = part % p.workgroups; // fewer workgroups than lanes: each serves every so many
        homes[part] = group / groupsOfDie * map.homes() / p.xccs;
    }
    return homes;
}

uint64_t pagesOfLayer(const Parameters &p, kernel::Matrix matrix, const PageMap &map) {
    std::vector<uint64_t> demand(map.homes(), 0);
    for (const uint32_t home : homesOfParts(p, matrix, map)) {
        demand[home] += p.matrices[matrix].partPages;
    }
    return regionPagesAnywhere(map, demand);
}

std::vector<uint32_t> placeLayer(const Parameters &p, kernel::Matrix matrix, uint32_t layer, const PageMap &map) {
    const PackedMatrix &m = p.matrices[matrix];
    const uint64_t first = (m.tiles - p.weights + layer * m.layerBytes) / PageMap::pageBytes;
    PagePool pool(map, first, m.layerBytes / PageMap::pageBytes);
    const std::vector<uint32_t> homes = homesOfParts(p, matrix, map);
    std::vector<uint32_t> pages;
    pages.reserve(homes.size() * m.partPages);
    for (const UnitStream &stream : placeStream(pool, homes, homes.size(), m.partPages)) {
        pages.insert(pages.end(), stream.pages.begin(), stream.pages.end());
    }
    return pages;
}

} // namespace monokernel
