#include "check.h"
#include "exec/cpu/unit_walk.h"

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

using namespace monokernel;
using namespace monokernel::cpu;

namespace {

std::vector<UnitWalk> walkers(Range units, uint32_t members, TakenUnits &taken) {
    std::vector<UnitWalk> walks;
    for (uint32_t member = 0; member < members; member++) {
        walks.emplace_back(units, member, members, taken.of(1, 0));
    }
    return walks;
}

} // namespace

TEST(aShareOfOnesOwnIsWalkedInOrder) {
    UnitWalk walk(Range{3, 6});
    CHECK(walk.next() == 3u && walk.next() == 4u && walk.next() == 5u && !walk.next() && !walk.next());
}

TEST(everyUnitIsTakenOnceInAnyOrderOfWorkers) {
    std::mt19937 random(7);
    for (uint32_t trial = 0; trial < 500; trial++) {
        const uint32_t members = 1 + random() % 5, first = random() % 9, count = random() % 40;
        const Range units{first, first + count};
        TakenUnits taken(2, members);
        std::vector<UnitWalk> walks = walkers(units, members, taken);
        std::vector<uint32_t> times(count), last(members, 0);
        for (uint32_t busy = members; busy > 0;) {
            const uint32_t member = random() % 3 == 0 ? random() % members : trial % members; // one is faster
            const std::optional<uint32_t> unit = walks[member].next();
            const Range own = evenShare(count, member, members);
            if (!unit) {
                busy--; // asked again, it must still have nothing
                continue;
            }
            if (!CHECK(*unit >= units.begin && *unit < units.end)) {
                return;
            }
            const uint32_t index = *unit - first;
            times[index]++;
            if (index >= own.begin && index < own.end) {
                CHECK(last[member] <= index); // ascending, and before those of others
                last[member] = index + 1;
            } else {
                last[member] = count;
            }
        }
        for (UnitWalk &walk : walks) {
            while (const std::optional<uint32_t> unit = walk.next()) {
                times[*unit - first]++;
            }
        }
        CHECK(std::ranges::all_of(times, [](uint32_t n) { return n == 1; }));
    }
}

TEST(othersAreHelpedFromTheBack) {
    TakenUnits taken(2, 2);
    std::vector<UnitWalk> walks = walkers({0, 6}, 2, taken);
    for (const uint32_t unit : {0u, 1u, 2u, 5u, 4u}) {
        CHECK(walks[0].next() == unit);
    }
    CHECK(walks[1].next() == 3u && !walks[1].next() && !walks[0].next());
    taken.reset();
    CHECK(walkers({0, 6}, 2, taken)[1].next() == 3u);
}

TEST(threadsTakeEveryUnitOnce) {
    constexpr uint32_t members = 3, count = 3000;
    TakenUnits taken(2, members);
    std::vector<UnitWalk> walks = walkers({0, count}, members, taken);
    std::vector<std::vector<uint32_t>> found(members);
    std::vector<std::thread> threads;
    for (uint32_t member = 0; member < members; member++) {
        threads.emplace_back([&, member] {
            while (const std::optional<uint32_t> unit = walks[member].next()) {
                found[member].push_back(*unit);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    std::vector<uint32_t> times(count);
    for (const std::vector<uint32_t> &units : found) {
        for (const uint32_t unit : units) {
            times[unit]++;
        }
    }
    CHECK(std::ranges::all_of(times, [](uint32_t n) { return n == 1; }));
}
