#include "topology/page_placement.h"

#include <algorithm>
#include <stdexcept>

namespace monokernel {

namespace {

constexpr uint64_t lineBytes = 128; ///< of the L2: two mailboxes in one line would slow each other's polls

void require(bool condition, const char *message) {
    if (!condition) {
        throw std::invalid_argument(message);
    }
}

/// The first block of a unit, when blocks are dealt out evenly and in order.
uint64_t firstBlockOf(uint64_t unit, uint64_t units, uint64_t blocks) { return blocks * unit / units; }

} // namespace

PagePool::PagePool(const PageMap &map, uint64_t first, uint64_t count) : free_(map.homes()) {
    for (uint64_t page = first; page < first + count; page++) {
        free_[map.homeOf(page)].pages.push_back(page);
    }
}

uint64_t PagePool::left(uint32_t home) const {
    const Pages &list = free_.at(listOf(home));
    return list.pages.size() - list.next;
}

uint64_t PagePool::take(uint32_t home) {
    Pages *list = &free_.at(listOf(home));
    if (list->next == list->pages.size()) {
        list =
            &*std::ranges::max_element(free_, {}, [](const Pages &pages) { return pages.pages.size() - pages.next; });
    }
    if (list->next == list->pages.size()) {
        throw std::length_error("no page of the region is left");
    }
    return list->pages[list->next++];
}

uint64_t regionPages(const PageMap &map, uint64_t first, std::span<const uint64_t> demand) {
    std::vector<uint64_t> missing(map.homes(), 0);
    for (size_t home = 0; home < demand.size(); home++) {
        missing.at(map.isIdentity() ? 0 : home) += demand[home];
    }
    const std::vector<uint32_t> inPeriod = map.pagesOfHomes();
    uint64_t periods = UINT64_MAX; // whole periods that surely are too few, skipped
    for (uint32_t home = 0; home < map.homes(); home++) {
        require(missing[home] == 0 || inPeriod[home] != 0, "a home is asked for pages and has none");
        if (missing[home] != 0) {
            const uint64_t whole = (missing[home] - 1) / inPeriod[home];
            periods = periods == UINT64_MAX ? whole : std::max(periods, whole);
        }
    }
    if (periods == UINT64_MAX) {
        return 0;
    }
    uint64_t count = periods * std::max(1u, map.period()), open = 0;
    for (uint32_t home = 0; home < map.homes(); home++) {
        missing[home] -= std::min(missing[home], periods * inPeriod[home]);
        open += missing[home];
    }
    for (; open > 0; count++) {
        if (uint64_t &wanted = missing[map.homeOf(first + count)]; wanted > 0) {
            wanted--;
            open--;
        }
    }
    return count;
}

uint64_t regionPagesAnywhere(const PageMap &map, std::span<const uint64_t> demand) {
    // The region's end never moves back when its beginning moves on: one pass over a period finds the longest.
    const uint64_t atFirst = regionPages(map, 0, demand);
    if (map.isIdentity() || atFirst == 0) {
        return atFirst;
    }
    std::vector<uint64_t> held(map.homes(), 0);
    for (uint64_t page = 0; page < atFirst; page++) {
        held[map.homeOf(page)]++;
    }
    uint64_t most = atFirst, end = atFirst;
    for (uint64_t begin = 1; begin < map.period(); begin++) {
        const uint32_t left = map.homeOf(begin - 1);
        held[left]--;
        while (left < demand.size() && held[left] < demand[left]) {
            held[map.homeOf(end++)]++;
        }
        most = std::max(most, end - begin);
    }
    return most;
}

std::vector<UnitStream> placeStream(PagePool &pool, std::span<const uint32_t> unitHomes, uint64_t blocks,
                                    uint32_t pagesPerBlock) {
    require(!unitHomes.empty() && pagesPerBlock != 0, "a stream needs compute units and pages a block");
    std::vector<UnitStream> streams;
    streams.reserve(unitHomes.size());
    for (uint64_t unit = 0; unit < unitHomes.size(); unit++) {
        const uint64_t begin = firstBlockOf(unit, unitHomes.size(), blocks);
        const uint64_t end = firstBlockOf(unit + 1, unitHomes.size(), blocks);
        UnitStream &stream = streams.emplace_back(UnitStream{unitHomes[unit], begin, end - begin, {}});
        for (uint64_t i = 0; i < stream.blockCount * pagesPerBlock; i++) {
            stream.pages.push_back(pool.take(stream.home));
        }
    }
    return streams;
}

std::vector<uint64_t> streamDemand(const DeviceShape &shape, uint64_t blocks, uint32_t pagesPerBlock) {
    std::vector<uint64_t> demand(shape.homes, 0);
    for (uint64_t unit = 0; unit < shape.computeUnits; unit++) {
        const uint64_t count =
            firstBlockOf(unit + 1, shape.computeUnits, blocks) - firstBlockOf(unit, shape.computeUnits, blocks);
        demand[shape.homeOfUnit(static_cast<uint32_t>(unit))] += count * pagesPerBlock;
    }
    return demand;
}

uint64_t remotePages(const PageMap &map, std::span<const UnitStream> streams) {
    if (map.isIdentity()) {
        return 0;
    }
    uint64_t remote = 0;
    for (const UnitStream &stream : streams) {
        remote += static_cast<uint64_t>(
            std::ranges::count_if(stream.pages, [&](uint64_t page) { return map.homeOf(page) != stream.home; }));
    }
    return remote;
}

std::vector<DieRange> pinHeads(uint32_t heads, uint32_t dies) {
    require(heads != 0 && dies != 0, "pinning needs heads and dies");
    std::vector<DieRange> pinned;
    for (uint64_t head = 0; head < heads; head++) {
        const auto begin = static_cast<uint32_t>(head * dies / heads);
        const auto end = static_cast<uint32_t>((head + 1) * dies / heads);
        pinned.push_back({begin, std::max(begin + 1, end)});
    }
    return pinned;
}

std::vector<HeadPages> placeHeads(PagePool &pool, const DeviceShape &shape, uint32_t heads, uint32_t pagesPerHead) {
    std::vector<HeadPages> placed;
    for (const DieRange &dies : pinHeads(heads, shape.computeDies)) {
        HeadPages &head = placed.emplace_back(HeadPages{dies, {}});
        for (uint32_t page = 0; page < pagesPerHead; page++) {
            head.pages.push_back(pool.take(shape.homeOfDie(dies.begin + page % dies.size())));
        }
    }
    return placed;
}

std::vector<std::vector<MailboxPart>> placeMailboxes(PagePool &pool, const DeviceShape &shape,
                                                     std::span<const Mailbox> mailboxes) {
    std::vector<MailboxPart> room(shape.homes); // what is left of each home's newest page
    std::vector<std::vector<MailboxPart>> placed;
    for (const Mailbox &mailbox : mailboxes) {
        require(mailbox.consumerDie < shape.computeDies, "a mailbox names a die that there is not");
        std::vector<MailboxPart> &parts = placed.emplace_back();
        const uint32_t home = shape.homeOfDie(mailbox.consumerDie);
        for (uint64_t left = mailbox.bytes; left > 0;) {
            if (room[home].bytes == 0) {
                room[home] = {pool.take(home) * PageMap::pageBytes, PageMap::pageBytes};
            }
            const uint64_t bytes = std::min(left, room[home].bytes);
            const uint64_t lines = (bytes + lineBytes - 1) / lineBytes * lineBytes;
            parts.push_back({room[home].address, bytes});
            room[home] = {room[home].address + lines, room[home].bytes - lines};
            left -= bytes;
        }
    }
    return placed;
}

} // namespace monokernel
