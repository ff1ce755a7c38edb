#include "exec/gpu/page_calibration.h"

#include "exec/gpu/calibration_key.h"
#include "exec/gpu/kernel_target.h"
#include "kernel/page_homes.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <thread>

namespace monokernel {

namespace {

using kernel::PageHomesParameters;

constexpr uint32_t probesWithoutDies = 4; ///< single pairs of workgroups, wherever they are
constexpr uint32_t probedPages = 96;      ///< at each end of an allocation
constexpr uint64_t ticketLine = 32;       ///< u32 words from one die's counter to the next
constexpr auto pollPause = std::chrono::milliseconds(1);
constexpr auto patience = std::chrono::seconds(60);

/// What one launch gave; no timings where the workgroups could not do their work, and then `fault` says why.
struct Measured {
    PingPong timings;
    double nanosecondsOfTick = 0.0;
    std::string fault;
};

/// Wall clock ticks a nanosecond, by target: see kernel/clock.h.
double wallTick(const std::string &target) { return target == "gfx942" ? 10.0 : 1.0; }

PageHomesParameters describe(const DeviceShape &shape, const PageCalibrationOptions &options, uint64_t pages,
                             uint32_t count) {
    PageHomesParameters p{};
    const bool hasDies = shape.homes > 1 && shape.computeDies == 2 * shape.homes;
    p.pages = pages;
    p.pageCount = count;
    p.pageBytes = PageMap::pageBytes;
    p.dies = hasDies ? shape.computeDies : 1;
    p.probes = hasDies ? shape.homes : std::min(probesWithoutDies, shape.computeUnits / 2);
    p.pairs = hasDies ? shape.unitsPerDie() : 1;
    p.rounds = options.rounds;
    p.trips = options.trips;
    p.spinLimit = options.spinLimit;
    return p;
}

void runToEnd(GpuDriver &driver, const PageHomesParameters &p) {
    const KernelTarget &target = kernelTarget(driver.device().target);
    driver.launch(std::as_bytes(std::span(&p, 1)), p.probes * p.pairs * 2, target.threads, 0);
    const auto start = std::chrono::steady_clock::now();
    while (!driver.finished()) {
        if (std::chrono::steady_clock::now() - start > patience) {
            throw ExecutionError("the calibration kernel does not end on " + driver.device().name);
        }
        std::this_thread::sleep_for(pollPause);
    }
}

Measured measure(GpuDriver &driver, const DeviceShape &shape, const PageCalibrationOptions &options, uint64_t pages,
                 uint32_t count) {
    PageHomesParameters p = describe(shape, options, pages, count);
    const uint64_t ticketBytes = p.dies * ticketLine * sizeof(uint32_t), clockBytes = 4 * sizeof(uint64_t);
    Measured measured{{p.rounds, p.probes, count, std::vector<uint32_t>(uint64_t{p.rounds} * p.probes * count)}, 0, {}};
    const uint64_t tickBytes = measured.timings.ticks.size() * sizeof(uint32_t);
    const uint64_t scratch = driver.allocate(tickBytes + ticketBytes + sizeof(uint64_t) + clockBytes);
    driver.clear(scratch, tickBytes + ticketBytes + sizeof(uint64_t) + clockBytes);
    driver.clear(pages, count * PageMap::pageBytes);
    p.clocks = scratch;
    p.abort = p.clocks + clockBytes;
    p.tickets = p.abort + sizeof(uint64_t);
    p.ticks = p.tickets + ticketBytes;
    runToEnd(driver, p);
    uint64_t fault = 0;
    std::array<uint64_t, 4> clocks{};
    driver.download(std::as_writable_bytes(std::span(&fault, 1)), p.abort);
    driver.download(std::as_writable_bytes(std::span(clocks)), p.clocks);
    driver.download(std::as_writable_bytes(std::span(measured.timings.ticks)), p.ticks);
    driver.clear(pages, count * PageMap::pageBytes);
    if (fault != 0) {
        measured.fault = fault == 1 ? "two workgroups waited for each other in vain"
                                    : "the workgroups were not spread evenly over the dies";
    }
    const double ticks = static_cast<double>(clocks[2] - clocks[0]);
    const double wall = static_cast<double>(clocks[3] - clocks[1]) * wallTick(driver.device().target);
    measured.nanosecondsOfTick = clocks[2] > clocks[0] && clocks[3] > clocks[1] ? wall / ticks : 0.0;
    return measured;
}

std::string calibrationKernel(const std::string &target) {
    return "page_homes." + target + (target.starts_with("sm_") ? ".ptx" : ".co");
}

/// How much pages differ, for a device whose dies are not known: the quickest and slowest tenth of one probe's pages.
std::string spreadOf(const PingPong &timings) {
    std::vector<uint32_t> quickest;
    for (uint32_t page = 0; page < timings.pages; page++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t round = 0; round < timings.rounds; round++) {
            best = std::min(best, std::max(1u, timings.at(round, 0, page)));
        }
        quickest.push_back(best);
    }
    std::ranges::sort(quickest);
    const double low = quickest[quickest.size() / 10], high = quickest[quickest.size() * 9 / 10];
    return "one pair's round trip takes " + std::to_string(std::lround((high / low - 1) * 100)) +
           " % longer in the slowest tenth of the pages than in the quickest";
}

Calibration conclude(Calibration calibration, const DeviceShape &shape, const Measured &measured) {
    if (!measured.fault.empty()) {
        calibration.reason = "nothing was measured: " + measured.fault;
        return calibration;
    }
    const PageVotes votes = votePages(measured.timings);
    PageFit fit = fitPages(votes);
    if (shape.homes < 2) {
        calibration.reason = "this device has no dies to place by; " + fit.reason + "; " + spreadOf(measured.timings);
        return calibration;
    }
    calibration.map = std::move(fit.map);
    calibration.confidence = fit.confidence;
    calibration.reason = std::move(fit.reason);
    if (!calibration.map.isIdentity()) {
        calibration.localNanoseconds = votes.localTicks * measured.nanosecondsOfTick;
        calibration.remoteNanoseconds = votes.remoteTicks * measured.nanosecondsOfTick;
    }
    return calibration;
}

} // namespace

Calibration calibratePages(GpuDriver &driver, const DeviceShape &shape, const PageCalibrationOptions &options) {
    if (options.pages == 0 || options.rounds == 0 || options.trips == 0 || shape.computeUnits < 4) {
        throw ExecutionError("a calibration needs pages, rounds, trips and at least four compute units");
    }
    driver.loadKernel(options.kernelFolder / calibrationKernel(driver.device().target), {});
    const uint64_t memory = driver.allocate((uint64_t{options.pages} + 1) * PageMap::pageBytes);
    const uint64_t first = (memory + PageMap::pageBytes - 1) / PageMap::pageBytes * PageMap::pageBytes;
    const Measured measured = measure(driver, shape, options, first, options.pages);
    return conclude({.key = calibrationKey(driver.device()), .pages = options.pages}, shape, measured);
}

PageMap locateAllocation(GpuDriver &driver, const DeviceShape &shape, const PageMap &map, uint64_t address,
                         uint64_t bytes, const PageCalibrationOptions &options) {
    const uint64_t pages = bytes / PageMap::pageBytes;
    if (map.isIdentity() || map.homes() != shape.homes || pages == 0 || address % PageMap::pageBytes != 0) {
        return {};
    }
    driver.loadKernel(options.kernelFolder / calibrationKernel(driver.device().target), {});
    const auto count = static_cast<uint32_t>(std::min<uint64_t>(pages, probedPages));
    std::vector<ProbedPage> probed;
    for (const uint64_t begin : {uint64_t{0}, pages - count}) {
        const Measured measured = measure(driver, shape, options, address + begin * PageMap::pageBytes, count);
        if (!measured.fault.empty()) {
            return {};
        }
        const PageVotes votes = votePages(measured.timings);
        for (uint32_t page = 0; page < count; page++) {
            if (votes.homeOf[page] != unknownHome) {
                probed.push_back({begin + page, votes.homeOf[page]});
            }
        }
    }
    const bool enough = probed.size() >= count; // of two times count
    const std::optional<uint32_t> rotation = enough ? findRotation(map, probed) : std::nullopt;
    return rotation ? map.rotated(*rotation) : PageMap();
}

} // namespace monokernel
