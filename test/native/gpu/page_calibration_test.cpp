#include "check.h"
#include "exec/gpu/page_calibration.h"
#include "kernel/page_homes.h"
#include "topology/synthetic_maps.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace monokernel;

namespace {

const DeviceShape mi300x = deviceShape("gfx942", 304);
constexpr uint64_t wholeMemory = 256u << 20;

/// A device whose launches are answered from a pattern of homes: what the kernel would measure on such a machine.
class SyntheticDriver final : public GpuDriver {
public:
    explicit SyntheticDriver(std::vector<uint8_t> pattern) : pattern_(std::move(pattern)) {
        device_ = {"gfx942", "synthetic", 0, 304, wholeMemory, "1"};
    }

    const GpuDevice &device() const override { return device_; }
    uint64_t allocate(uint64_t bytes) override {
        const uint64_t at = base + used_;
        used_ += bytes;
        return at;
    }
    uint64_t allocateMailboxes(uint64_t bytes) override { return allocate(bytes); }
    void connect(GpuDriver &) override {}
    PinnedMemory allocatePinned(uint64_t) override { return {}; }
    void upload(uint64_t address, std::span<const std::byte> from) override {
        std::memcpy(at(address), from.data(), from.size());
    }
    void download(std::span<std::byte> to, uint64_t address) override {
        std::memcpy(to.data(), at(address), to.size());
    }
    void clear(uint64_t address, uint64_t bytes) override { std::memset(at(address), 0, bytes); }
    void loadKernel(const std::filesystem::path &file, std::span<const KernelConstant>) override { loaded = file; }
    bool finished() override { return true; }

    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t, uint32_t) override {
        kernel::PageHomesParameters p;
        std::memcpy(&p, parameters.data(), sizeof p);
        launched = workgroups;
        if (fault != 0) {
            std::memcpy(at(p.abort), &fault, sizeof fault);
            return;
        }
        const uint64_t first = (p.pages - base) / PageMap::pageBytes + rotation;
        const PingPong timings = synthetic::measure(
            p.probes, p.pageCount, {.local = local, .remote = remote, .noise = 25, .rounds = p.rounds}, 1,
            [&](uint32_t page) {
                const uint64_t at = first + page + (first + page >= brokenFrom ? 500 : 0);
                return pattern_[at % pattern_.size()];
            });
        std::memcpy(at(p.ticks), timings.ticks.data(), timings.ticks.size() * sizeof(uint32_t));
        const std::array<uint64_t, 4> clocks{1000, 500, 1000 + 2100000, 500 + 100000}; // 2.1 GHz; 100 MHz
        std::memcpy(at(p.clocks), clocks.data(), sizeof clocks);
    }

    static constexpr uint64_t base = 1ull << 40;
    std::filesystem::path loaded;
    uint64_t fault = 0;
    uint32_t launched = 0;
    uint64_t rotation = 0;
    uint64_t brokenFrom = UINT64_MAX;   ///< the pattern jumps by 500 pages at this one
    double local = 1449, remote = 2478; ///< 690 and 1,180 ns

private:
    std::byte *at(uint64_t address) { return &memory_.at(address - base); }

    GpuDevice device_;
    std::vector<uint8_t> pattern_;
    std::vector<std::byte> memory_{wholeMemory, std::byte{0xee}};
    uint64_t used_ = 0;
};

} // namespace

TEST(aCalibrationFindsTheHomesAndTheDistances) {
    const std::vector<uint8_t> pattern = synthetic::fourHomes(5);
    SyntheticDriver driver(pattern);
    driver.rotation = 321;
    const Calibration found = calibratePages(driver, mi300x, {.kernelFolder = "kernels"});
    CHECK(driver.loaded == std::filesystem::path("kernels/page_homes.gfx942.co") && driver.launched == 304);
    CHECK_MESSAGE(found.map.period() == 1792 && found.confidence > 0.99, found.reason);
    for (uint32_t page = 0; page < 1792; page++) {
        CHECK(found.map.homeOf(page) == pattern[(page + 321) % 1792]);
    }
    CHECK(std::abs(found.localNanoseconds - 690) < 15 && std::abs(found.remoteNanoseconds - 1180) < 15);
    CHECK(found.key.device == "synthetic" && found.key.driver == "1" && found.pages == 7168);
}

TEST(aDeviceWithoutStructureIsTheIdentity) {
    SyntheticDriver driver(synthetic::fourHomes(5));
    driver.remote = driver.local;
    const Calibration found = calibratePages(driver, mi300x, {.kernelFolder = "kernels"});
    CHECK_MESSAGE(found.map.isIdentity() && found.confidence == 0, found.reason);
    CHECK(found.localNanoseconds == 0 && found.remoteNanoseconds == 0);
}

TEST(aDeviceWithoutDiesIsNeverPlacedBy) {
    SyntheticDriver driver(synthetic::fourHomes(5));
    const Calibration found = calibratePages(driver, deviceShape("sm_90", 132), {.kernelFolder = "kernels"});
    CHECK(found.map.isIdentity() && driver.launched == 8);
    CHECK_MESSAGE(found.reason.starts_with("this device has no dies to place by"), found.reason);
    const size_t before = found.reason.find("round trip takes ");
    CHECK_MESSAGE(before != std::string::npos, found.reason);
    const int percent = before == std::string::npos ? 0 : std::atoi(found.reason.c_str() + before + 17);
    CHECK_MESSAGE(std::abs(percent - 71) <= 5, found.reason); // 2478 / 1449
}

TEST(waitsInVainAndUnevenWorkgroupsAreNamed) {
    for (const auto &[fault, words] : {std::pair<uint64_t, const char *>{1, "waited for each other in vain"},
                                       {2, "not spread evenly over the dies"}}) {
        SyntheticDriver driver(synthetic::fourHomes(5));
        driver.fault = fault;
        const Calibration found = calibratePages(driver, mi300x, {.kernelFolder = "kernels"});
        CHECK_MESSAGE(found.map.isIdentity() && found.reason.find(words) != std::string::npos, found.reason);
        CHECK(locateAllocation(driver, mi300x, PageMap(4, synthetic::fourHomes(5)), SyntheticDriver::base, 1u << 22,
                               {.kernelFolder = "kernels"})
                  .isIdentity());
    }
}

TEST(anAllocationIsLocatedByItsEnds) {
    const PageMap map(4, synthetic::fourHomes(5));
    SyntheticDriver driver(synthetic::fourHomes(5));
    driver.rotation = 77;
    const uint64_t address = driver.allocate(64u << 20);
    const PageMap located = locateAllocation(driver, mi300x, map, address, 64u << 20, {.kernelFolder = "kernels"});
    CHECK(!located.isIdentity() && located.rotation() == 77);
    driver.brokenFrom = 10000; // the allocation lies in two pieces
    CHECK(locateAllocation(driver, mi300x, map, address, 64u << 20, {.kernelFolder = "kernels"}).isIdentity());
    driver.brokenFrom = UINT64_MAX;
    SyntheticDriver other(synthetic::fourHomes(6)); // not the device that was calibrated
    CHECK(locateAllocation(other, mi300x, map, other.allocate(1u << 22), 1u << 22, {.kernelFolder = "kernels"})
              .isIdentity());
    CHECK(locateAllocation(driver, mi300x, PageMap(), address, 1u << 22, {.kernelFolder = "kernels"}).isIdentity());
    CHECK(locateAllocation(driver, mi300x, map, address, 100, {.kernelFolder = "kernels"}).isIdentity());
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
