#include "translated_driver.h"

#include "check.h"
#include "exec/gpu/page_calibration.h"
#include "kernel/page_homes.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace gfx942::page_homes {
extern const TranslatedKernel kernel; ///< of the code object that ships
}

namespace {

using monokernel::kernel::PageHomesParameters;

constexpr uint32_t pages = 37, rounds = 2, dies = 8, probes = 4;
const std::filesystem::path file = std::filesystem::path(MONOKERNEL_KERNELS) / "page_homes.gfx942.co";

struct Launched {
    std::vector<uint32_t> ticks;
    uint64_t abort = 0;
};

/// One launch with two workgroups a die; `change` may spoil the parameters.
template <class Change> Launched launch(uint64_t seed, uint32_t workgroups, Change change) {
    gfx942::TranslatedDriver driver(gfx942::page_homes::kernel,
                                    {.computeUnits = workgroups, .seed = seed, .slice = 97});
    driver.loadKernel(file, {});
    PageHomesParameters p{};
    p.pageCount = pages;
    p.pageBytes = 4096;
    p.dies = dies;
    p.probes = probes;
    p.pairs = 2;
    p.rounds = rounds;
    p.trips = 3;
    p.spinLimit = 4'000'000;
    const uint64_t tickBytes = uint64_t{rounds} * probes * pages * 4;
    const uint64_t memory = driver.allocate(1u << 20);
    driver.clear(memory, 1u << 20);
    p.pages = memory;
    p.ticks = memory + (1u << 19);
    p.tickets = p.ticks + tickBytes + 256;
    p.abort = p.tickets + 4096;
    p.clocks = p.abort + 256;
    change(p);
    driver.launch(std::as_bytes(std::span(&p, 1)), workgroups, 256, 0);
    while (!driver.finished()) {
    }
    Launched result{std::vector<uint32_t>(tickBytes / 4), 0};
    driver.download(std::as_writable_bytes(std::span(result.ticks)), p.ticks);
    driver.download(std::as_writable_bytes(std::span(&result.abort, 1)), p.abort);
    return result;
}

const auto asItIs = [](PageHomesParameters &) {};

} // namespace

TEST(everyPairVisitsEveryPageInEveryRound) {
    for (const uint64_t seed : {0ull, 1ull, 2ull, 3ull}) {
        const Launched result = launch(seed, 16, asItIs);
        CHECK(result.abort == 0);
        CHECK(std::ranges::count(result.ticks, 0u) == 0);
    }
}

TEST(aMissingPartnerEndsTheLaunch) {
    const Launched result = launch(1, 15, [](PageHomesParameters &p) { p.spinLimit = 2000; });
    CHECK(result.abort == 1);
}

TEST(aWorkgroupTooManyIsTold) {
    const Launched result = launch(1, 24, asItIs);
    CHECK(result.abort == 2);
}

TEST(aDeviceWithoutDiesPairsItsWorkgroups) {
    const Launched result = launch(2, 8, [](PageHomesParameters &p) {
        p.dies = 1;
        p.pairs = 1;
    });
    CHECK(result.abort == 0);
    CHECK(std::ranges::count(result.ticks, 0u) == 0);
}

TEST(theHostSideRunsItAndFindsNoStructureWhereThereIsNone) {
    gfx942::TranslatedDriver driver(gfx942::page_homes::kernel, {.computeUnits = 16, .seed = 5, .slice = 97});
    const monokernel::DeviceShape shape{.computeDies = 8, .computeUnits = 16, .homes = 4, .stacksPerHome = 2};
    const monokernel::Calibration found = monokernel::calibratePages(
        driver, shape, {.kernelFolder = MONOKERNEL_KERNELS, .pages = 64, .rounds = 3, .trips = 2});
    CHECK_MESSAGE(found.map.isIdentity(), found.reason);
    CHECK_MESSAGE(found.reason.starts_with("no usable structure"), found.reason);
}
