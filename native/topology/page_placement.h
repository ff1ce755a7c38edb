#pragma once

#include "topology/device_shape.h"
#include "topology/page_map.h"

#include <cstdint>
#include <span>
#include <vector>

namespace monokernel {

/// The free pages of a region, handed out in ascending order, by home. One caller after the other gets the same pages
/// from the same map: nothing here depends on anything but its arguments.
class PagePool {
public:
    /// Pages first .. first + count - 1 of an allocation that `map` describes.
    PagePool(const PageMap &map, uint64_t first, uint64_t count);

    /// The lowest free page at `home`; if there is none, one at the home that has most left. Throws std::length_error
    /// when no page is left at all.
    uint64_t take(uint32_t home);
    /// Free pages at `home` (identity: at all).
    uint64_t left(uint32_t home) const;

private:
    uint32_t listOf(uint32_t home) const { return free_.size() == 1 ? 0 : home; }

    struct Pages {
        std::vector<uint64_t> pages; ///< ascending
        size_t next = 0;
    };
    std::vector<Pages> free_; ///< by home; one list for the identity
};

/// Pages of a region that hold `demand[home]` pages of each home, from page `first` on: the least count that does. With
/// the identity, all pages count for all homes.
uint64_t regionPages(const PageMap &map, uint64_t first, std::span<const uint64_t> demand);

/// The same for a region that may begin at any page: the least count that does wherever it begins.
uint64_t regionPagesAnywhere(const PageMap &map, std::span<const uint64_t> demand);

/// What one compute unit streams: a range of row blocks, in the order in which it streams them.
struct UnitStream {
    uint32_t home = 0;
    uint64_t firstBlock = 0;
    uint64_t blockCount = 0;
    std::vector<uint64_t> pages; ///< blockCount x pagesPerBlock
};

/// Deals `blocks` row blocks of `pagesPerBlock` pages out to the compute units, in order, each unit one block more or
/// less than any other, and gives each unit pages of its own home. Where a home runs out of pages, the rest comes from
/// elsewhere (remotePages counts it). Throws std::length_error when the pool runs dry, std::invalid_argument for no
/// unit or no pages a block.
std::vector<UnitStream> placeStream(PagePool &pool, std::span<const uint32_t> unitHomes, uint64_t blocks,
                                    uint32_t pagesPerBlock);

/// Pages each home must have for placeStream, as regionPages wants them.
std::vector<uint64_t> streamDemand(const DeviceShape &shape, uint64_t blocks, uint32_t pagesPerBlock);

/// Pages that a unit streams from a home that is not its own.
uint64_t remotePages(const PageMap &map, std::span<const UnitStream> streams);

/// The dies that a KV head is bound to: its cache is written and read there only.
struct DieRange {
    uint32_t begin = 0, end = 0;

    uint32_t size() const { return end - begin; }
};

/// Binds each of `heads` heads to dies: where there are more heads than dies, one die each, neighbours together, no die
/// with more than one head more than another; else a range of dies each, all dies used. Throws std::invalid_argument
/// for none of either.
std::vector<DieRange> pinHeads(uint32_t heads, uint32_t dies);

/// One head's cache: page i is used by die `dies.begin + i % dies.size()`.
struct HeadPages {
    DieRange dies;
    std::vector<uint64_t> pages;
};

/// Gives each head's cache pages at the homes of its dies.
std::vector<HeadPages> placeHeads(PagePool &pool, const DeviceShape &shape, uint32_t heads, uint32_t pagesPerHead);

/// Words that one die polls.
struct Mailbox {
    uint32_t consumerDie = 0;
    uint64_t bytes = 0;
};

/// A contiguous part of a mailbox, within one page.
struct MailboxPart {
    uint64_t address = 0; ///< in bytes from the allocation's start
    uint64_t bytes = 0;
};

/// Puts each mailbox on its consumer's home, several into a page, each on 128-byte lines of its own; a mailbox larger
/// than what is left of a page goes on in the next one. Parts in order, one list a mailbox.
std::vector<std::vector<MailboxPart>> placeMailboxes(PagePool &pool, const DeviceShape &shape,
                                                     std::span<const Mailbox> mailboxes);

} // namespace monokernel
