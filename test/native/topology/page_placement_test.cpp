#include "check.h"
#include "synthetic_maps.h"
#include "topology/page_placement.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

using namespace monokernel;

namespace {

const DeviceShape mi300x = deviceShape("gfx942", 304);

/// The published shapes, random maps and no map, each at a random rotation.
std::vector<PageMap> maps(uint32_t homes, uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto rotation = static_cast<uint32_t>(random() % 1792);
    std::vector<uint32_t> uneven;
    for (uint32_t home = 0; home < homes; home++) {
        uneven.push_back(static_cast<uint32_t>(1 + random() % 300));
    }
    return {PageMap(homes, homes == 4 ? synthetic::fourHomes(seed) : synthetic::twoHomes(seed), rotation),
            PageMap(homes, synthetic::pattern(uneven, seed), rotation), PageMap()};
}

struct Stream {
    DeviceShape shape;
    uint64_t blocks;
    uint32_t pagesPerBlock;
    uint64_t first;
};

Stream randomStream(uint32_t homes, std::mt19937_64 &random) {
    DeviceShape shape = mi300x;
    shape.homes = homes;
    shape.computeUnits = 8 * static_cast<uint32_t>(1 + random() % 38);
    return {shape, random() % 3000, static_cast<uint32_t>(1 + random() % 4), random() % 100000};
}

template <class Error, class Body> bool throws(Body body) {
    try {
        body();
    } catch (const Error &) {
        return true;
    }
    return false;
}

} // namespace

TEST(everyBlockHasOneUnitAndEveryPageOneUse) {
    std::mt19937_64 random(1);
    for (uint64_t round = 0; round < 60; round++) {
        const uint32_t homes = round % 2 == 0 ? 4 : 2;
        const Stream stream = randomStream(homes, random);
        for (const PageMap &map : maps(homes, round)) {
            const uint64_t needed =
                regionPages(map, stream.first, streamDemand(stream.shape, stream.blocks, stream.pagesPerBlock));
            PagePool pool(map, stream.first, needed);
            const auto placed = placeStream(pool, stream.shape.unitHomes(), stream.blocks, stream.pagesPerBlock);
            std::set<uint64_t> used;
            uint64_t next = 0;
            for (const UnitStream &unit : placed) {
                CHECK(unit.firstBlock == next);
                CHECK(unit.pages.size() == unit.blockCount * stream.pagesPerBlock);
                next += unit.blockCount;
                used.insert(unit.pages.begin(), unit.pages.end());
            }
            CHECK(next == stream.blocks);
            CHECK(used.size() == stream.blocks * stream.pagesPerBlock);
            CHECK(used.empty() || (*used.begin() >= stream.first && *used.rbegin() < stream.first + needed));
        }
    }
}

TEST(unitsDifferByOneBlockAndStreamFromHomeOnly) {
    std::mt19937_64 random(2);
    for (uint64_t round = 0; round < 60; round++) {
        const uint32_t homes = round % 2 == 0 ? 4 : 2;
        const Stream stream = randomStream(homes, random);
        for (const PageMap &map : maps(homes, round)) {
            const auto demand = streamDemand(stream.shape, stream.blocks, stream.pagesPerBlock);
            PagePool pool(map, stream.first, regionPages(map, stream.first, demand));
            const auto placed = placeStream(pool, stream.shape.unitHomes(), stream.blocks, stream.pagesPerBlock);
            const auto [least, most] = std::ranges::minmax(placed, {}, &UnitStream::blockCount);
            CHECK(most.blockCount - least.blockCount <= 1);
            CHECK(remotePages(map, placed) == 0);
            for (uint32_t unit = 0; unit < placed.size(); unit++) {
                CHECK(placed[unit].home == stream.shape.homeOfUnit(unit));
            }
        }
    }
}

TEST(theRegionIsNoLargerThanItMustBe) {
    std::mt19937_64 random(3);
    for (uint64_t round = 0; round < 40; round++) {
        Stream stream = randomStream(4, random);
        stream.blocks++;
        for (const PageMap &map : maps(4, round)) {
            const auto demand = streamDemand(stream.shape, stream.blocks, stream.pagesPerBlock);
            const uint64_t needed = regionPages(map, stream.first, demand);
            const auto remote = [&](uint64_t count) {
                PagePool pool(map, stream.first, count);
                return remotePages(map,
                                   placeStream(pool, stream.shape.unitHomes(), stream.blocks, stream.pagesPerBlock));
            };
            const uint64_t all = stream.blocks * stream.pagesPerBlock;
            CHECK(remote(needed) == 0);
            CHECK(needed == all || remote(needed - 1) > 0); // one page fewer: somebody streams from afar
        }
    }
}

TEST(aRegionAnywhereIsTheLongestOfAll) {
    std::mt19937_64 random(4);
    for (uint64_t round = 0; round < 10; round++) {
        Stream stream = randomStream(4, random);
        stream.blocks++;
        for (const PageMap &map : maps(4, round)) {
            const auto demand = streamDemand(stream.shape, stream.blocks, stream.pagesPerBlock);
            uint64_t longest = 0;
            for (uint64_t first = 0; first < std::max(1u, map.period()); first++) {
                longest = std::max(longest, regionPages(map, first, demand));
            }
            CHECK(regionPagesAnywhere(map, demand) == longest);
        }
    }
    CHECK(regionPagesAnywhere(PageMap(4, synthetic::fourHomes(1)), std::vector<uint64_t>(4, 0)) == 0);
}

TEST(aTightRegionIsFilledFromElsewhere) {
    const PageMap map(2, synthetic::twoHomes(4));
    DeviceShape shape = mi300x;
    shape.homes = 2;
    PagePool pool(map, 0, 1792); // 768 and 1,024 for a demand of 896 each
    const auto placed = placeStream(pool, shape.unitHomes(), 1792, 1);
    CHECK(remotePages(map, placed) == 128);
    CHECK(pool.left(0) == 0 && pool.left(1) == 0);
    CHECK(throws<std::length_error>([&] { pool.take(0); }));
}

TEST(placementIsTheSameEachTime) {
    const PageMap map(4, synthetic::fourHomes(9), 77);
    const auto place = [&] {
        PagePool pool(map, 5, 20000);
        std::vector<uint64_t> pages;
        for (const UnitStream &unit : placeStream(pool, mi300x.unitHomes(), 3333, 2)) {
            pages.insert(pages.end(), unit.pages.begin(), unit.pages.end());
        }
        return pages;
    };
    CHECK(place() == place());
}

TEST(headsAreBoundToDiesEvenly) {
    for (uint32_t heads = 1; heads <= 40; heads++) {
        for (uint32_t dies = 1; dies <= 9; dies++) {
            const auto pinned = pinHeads(heads, dies);
            std::map<uint32_t, uint32_t> headsOf;
            for (const DieRange &range : pinned) {
                CHECK(range.begin < range.end && range.end <= dies);
                CHECK(range.size() == 1 || heads < dies);
                for (uint32_t die = range.begin; die < range.end; die++) {
                    headsOf[die]++;
                }
            }
            uint32_t least = UINT32_MAX, most = 0;
            for (const auto &[die, count] : headsOf) {
                least = std::min(least, count);
                most = std::max(most, count);
            }
            CHECK(pinned.size() == heads && headsOf.size() == dies && most - least <= 1);
        }
    }
    CHECK(throws<std::invalid_argument>([] { pinHeads(0, 8); }));
}

TEST(cachePagesLieAtTheirDiesHomes) {
    for (const uint32_t heads : {1u, 2u, 8u, 16u, 11u}) {
        for (const PageMap &map : maps(4, heads)) {
            PagePool pool(map, 100, 64 * 1792);
            std::set<uint64_t> used;
            for (const HeadPages &head : placeHeads(pool, mi300x, heads, 50)) {
                CHECK(head.pages.size() == 50);
                for (uint32_t i = 0; i < head.pages.size(); i++) {
                    const uint32_t die = head.dies.begin + i % head.dies.size();
                    CHECK(map.isIdentity() || map.homeOf(head.pages[i]) == mi300x.homeOfDie(die));
                    used.insert(head.pages[i]);
                }
            }
            CHECK(used.size() == heads * 50);
        }
    }
}

TEST(mailboxesLieWithTheirConsumersOnLinesOfTheirOwn) {
    std::mt19937_64 random(11);
    for (uint64_t round = 0; round < 20; round++) {
        std::vector<Mailbox> mailboxes;
        for (int i = 0; i < 100; i++) {
            mailboxes.push_back({static_cast<uint32_t>(random() % 8), random() % (i % 10 == 0 ? 30000 : 600)});
        }
        for (const PageMap &map : maps(4, round)) {
            PagePool pool(map, 0, 1u << 14);
            const auto placed = placeMailboxes(pool, mi300x, mailboxes);
            std::set<uint64_t> lines;
            uint64_t lineCount = 0;
            for (size_t i = 0; i < mailboxes.size(); i++) {
                uint64_t bytes = 0;
                for (const MailboxPart &part : placed[i]) {
                    const uint64_t page = part.address / PageMap::pageBytes;
                    CHECK((part.address + part.bytes - 1) / PageMap::pageBytes == page);
                    CHECK(part.address % 128 == 0);
                    CHECK(map.isIdentity() || map.homeOf(page) == mi300x.homeOfDie(mailboxes[i].consumerDie));
                    bytes += part.bytes;
                    for (uint64_t at = part.address; at < part.address + part.bytes; at += 128) {
                        lines.insert(at / 128);
                        lineCount++;
                    }
                }
                CHECK(bytes == mailboxes[i].bytes);
            }
            CHECK(lines.size() == lineCount);
        }
    }
}

TEST(shapesAreThoseOfTheDevices) {
    CHECK(mi300x.unitsPerDie() == 38 && mi300x.homeOfDie(0) == 0 && mi300x.homeOfDie(1) == 0 &&
          mi300x.homeOfDie(7) == 3 && mi300x.homeOfUnit(303) == 3 && mi300x.homeOfUnit(75) == 0 &&
          mi300x.homeOfUnit(76) == 1);
    CHECK(deviceShape("gfx942", 38).homes == 1);
    CHECK(deviceShape("sm_90", 132).computeDies == 1);
}
