#include "check.h"
#include "synthetic_maps.h"
#include "topology/page_fit.h"

#include <cmath>
#include <stdexcept>

using namespace monokernel;

namespace {

constexpr uint32_t period = 1792;
constexpr uint32_t pages = 4 * period;

/// The pages of a pattern seen from page `rotation` on.
PageFit fitOf(const std::vector<uint8_t> &pattern, uint32_t homes, uint32_t rotation, const synthetic::Timings &timings,
              uint64_t seed) {
    const auto homeOf = [&](uint32_t page) { return pattern[(page + rotation) % pattern.size()]; };
    return fitPages(votePages(synthetic::measure(homes, pages, timings, seed, homeOf)));
}

bool isRotation(const PageMap &map, const std::vector<uint8_t> &pattern, uint32_t rotation) {
    for (uint32_t page = 0; page < 2 * pattern.size(); page++) {
        if (map.homeOf(page) != pattern[(page + rotation) % pattern.size()]) {
            return false;
        }
    }
    return map.period() == pattern.size();
}

} // namespace

TEST(exactTimingsGiveTheExactMap) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const auto rotation = static_cast<uint32_t>(seed * 397);
        const PageFit four = fitOf(synthetic::fourHomes(seed), 4, rotation, {}, seed);
        CHECK_MESSAGE(isRotation(four.map, synthetic::fourHomes(seed), rotation), four.reason);
        CHECK(four.confidence == 1.0);
        const PageFit two = fitOf(synthetic::twoHomes(seed), 2, rotation, {}, seed);
        CHECK_MESSAGE(isRotation(two.map, synthetic::twoHomes(seed), rotation), two.reason);
    }
}

TEST(noiseOutliersAndLostTimesAreVotedDown) {
    const synthetic::Timings rough{.noise = 90, .outliers = 0.04, .lost = 0.02, .slowest = 300, .rounds = 7};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const PageFit four = fitOf(synthetic::fourHomes(seed), 4, 11, rough, seed);
        CHECK_MESSAGE(isRotation(four.map, synthetic::fourHomes(seed), 11), four.reason);
        CHECK(four.confidence > 0.97);
        const PageFit two = fitOf(synthetic::twoHomes(seed), 2, 1000, rough, seed);
        CHECK_MESSAGE(isRotation(two.map, synthetic::twoHomes(seed), 1000), two.reason);
    }
}

TEST(otherPeriodsAreFoundToo) {
    for (const uint32_t other : {8u, 96u, 1000u, 2389u}) {
        const std::vector<uint8_t> pattern = synthetic::pattern({other / 2, other - other / 2}, other);
        const PageFit fit = fitOf(pattern, 2, 3, {.noise = 40}, other);
        CHECK_MESSAGE(fit.map.period() <= other && other % fit.map.period() == 0 && fit.confidence > 0.97, fit.reason);
    }
}

TEST(noStructureIsTheIdentity) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const std::vector<uint8_t> pattern = synthetic::fourHomes(seed);
        const PageFit flat = fitOf(pattern, 4, 0, {.local = 900, .remote = 900, .noise = 60}, seed);
        CHECK_MESSAGE(flat.map.isIdentity() && flat.confidence == 0.0, flat.reason);
        CHECK(flat.reason.starts_with("no usable structure"));
        const PageFit drowned = fitOf(pattern, 4, 0, {.local = 900, .remote = 950, .noise = 200}, seed);
        CHECK_MESSAGE(drowned.map.isIdentity(), drowned.reason);
        const PageFit equal = fitOf(pattern, 4, 0, {.local = 900, .remote = 900}, seed);
        CHECK_MESSAGE(equal.map.isIdentity(), equal.reason);
    }
}

TEST(homesThatDoNotRepeatAreTheIdentity) {
    std::mt19937_64 random(7);
    std::vector<uint8_t> homes(pages);
    for (uint8_t &home : homes) {
        home = static_cast<uint8_t>(random() % 4);
    }
    const PageFit fit =
        fitPages(votePages(synthetic::measure(4, pages, {.noise = 30}, 1, [&](uint32_t page) { return homes[page]; })));
    CHECK_MESSAGE(fit.map.isIdentity() && fit.reason.find("do not repeat") != std::string::npos, fit.reason);
}

TEST(aHomeWithoutPagesIsTheIdentity) {
    const std::vector<uint8_t> pattern = synthetic::pattern({600, 600, 592}, 1);
    const PageFit fit = fitOf(pattern, 4, 0, {.noise = 30}, 1);
    CHECK_MESSAGE(fit.map.isIdentity(), fit.reason);
}

TEST(nothingMeasuredIsTheIdentity) {
    const PageFit fit = fitOf(synthetic::fourHomes(1), 4, 0, {.lost = 1.0}, 1);
    CHECK_MESSAGE(fit.map.isIdentity(), fit.reason);
    const PageFit empty = fitPages(votePages({.rounds = 0, .probes = 4, .pages = 0, .ticks = {}}));
    CHECK(empty.map.isIdentity());
}

TEST(votesTellTheDistances) {
    const std::vector<uint8_t> pattern = synthetic::fourHomes(3);
    const PageVotes votes = votePages(
        synthetic::measure(4, pages, {.noise = 20}, 3, [&](uint32_t page) { return pattern[page % period]; }));
    CHECK(std::abs(votes.localTicks - 690) < 15 && std::abs(votes.remoteTicks - 1180) < 15);
    CHECK(votes.agreement > 0.99);
}

TEST(timingsOfAnotherSizeAreRefused) {
    bool thrown = false;
    try {
        votePages({.rounds = 2, .probes = 4, .pages = 10, .ticks = std::vector<uint32_t>(79)});
    } catch (const std::invalid_argument &) {
        thrown = true;
    }
    CHECK(thrown);
}

TEST(rotationsAreFoundFromAFewPages) {
    std::mt19937_64 random(5);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const PageMap map(4, synthetic::fourHomes(seed));
        const auto rotation = static_cast<uint32_t>(random() % period);
        std::vector<ProbedPage> probed;
        for (uint32_t i = 0; i < 64; i++) {
            const uint64_t page = random() % (1u << 24);
            const auto home = static_cast<uint8_t>(map.rotated(rotation).homeOf(page));
            probed.push_back({page, static_cast<uint8_t>(i % 20 == 0 ? (home + 1) % 4 : home)}); // one of 20 is wrong
        }
        CHECK(findRotation(map, probed) == rotation);
    }
}

TEST(aRotationThatIsNotClearIsNone) {
    std::mt19937_64 random(6);
    const PageMap map(4, synthetic::fourHomes(1));
    std::vector<ProbedPage> noise, few;
    for (uint64_t i = 0; i < 64; i++) {
        noise.push_back({random() % 100000, static_cast<uint8_t>(random() % 4)});
    }
    for (uint64_t page = 0; page < 3; page++) {
        few.push_back({page, static_cast<uint8_t>(map.homeOf(page))});
    }
    CHECK(!findRotation(map, noise));
    CHECK(!findRotation(map, few));
    CHECK(!findRotation(PageMap(), noise));
    CHECK(!findRotation(map, {}));
}

TEST(aSlowDieIsJudgedByItsOwnSpread) {
    const PageFit fit = fitOf(synthetic::fourHomes(2), 4, 5, {.noise = 30, .slowest = 2000}, 2);
    CHECK_MESSAGE(isRotation(fit.map, synthetic::fourHomes(2), 5), fit.reason);
}

TEST(roundsThatDisagreeLeaveAPageOpen) {
    PingPong timings = synthetic::measure(2, 100, {}, 1, [](uint32_t page) { return page % 2; });
    const auto turn = [&](uint32_t page, uint32_t rounds) { // the other probe is the quick one in so many rounds
        for (uint32_t round = 0; round < rounds; round++) {
            std::swap(timings.ticks[round * 200 + page], timings.ticks[round * 200 + 100 + page]);
        }
    };
    turn(10, 1);
    turn(20, 2);
    turn(30, 4);
    const PageVotes votes = votePages(timings);
    CHECK(votes.homeOf[10] == 0 && votes.homeOf[20] == unknownHome && votes.homeOf[30] == 1);
    CHECK(votes.homeOf[11] == 1 && votes.agreement > 0.98 && votes.agreement < 1.0);
}
