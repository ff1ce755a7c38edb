#include "check.h"
#include "test_kernel.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <random>

using namespace gfx942;

// Several devices run kernels/peers.hip at once.

namespace {

constexpr u32 groups = 3, results = groups * 256;

/// What the kernel calls Box.
struct BoxArguments {
    u32 device, devices;
    u64 mailboxes[8], ordinary[8];
};

struct BoxOptions {
    u32 devices = 2;
    u64 seed = 0;
    u64 longestDelay = 20'000;
    u32 turn = 2000; ///< instructions of one device at a time, at most
    bool connected = true;
    bool pinned = false; ///< "ordinary" memory is the other device's host memory
    bool cleared = true; ///< mailboxes hold zeros at first
};

struct Device {
    DeviceMemory memory{u64{1} << 26};
    u64 output = 0, parameters = 0;
    std::unique_ptr<Launch> launch;
    std::vector<u32> results;
};

struct Outcome {
    std::optional<FaultKind> fault;
    std::string message;
    std::vector<std::vector<u32>> output; ///< a device's
};

u64 allocateDefined(DeviceMemory &memory, u64 bytes, MemoryKind kind) {
    const u64 address = memory.allocate(bytes, kind);
    std::memset(reinterpret_cast<void *>(address), 0, bytes);
    memory.markDefined(address, bytes);
    return address;
}

template <class T> u64 uploadTo(DeviceMemory &memory, const T &value) {
    const u64 address = allocateDefined(memory, sizeof value, MemoryKind::ordinary);
    std::memcpy(reinterpret_cast<void *>(address), &value, sizeof value);
    return address;
}

/// One box whose devices all run the operation.
class Box {
public:
    Box(u32 operation, const BoxOptions &options)
        : options_(options), links_(options.seed, options.longestDelay), devices_(options.devices),
          random_(static_cast<u32>(options.seed)) {
        BoxArguments box{0, options.devices, {}, {}};
        for (u32 d = 0; d < options.devices; d++) {
            Device &device = devices_[d];
            links_.join(device.memory);
            const u64 bytes = u64{1} << 17;
            box.mailboxes[d] = options.cleared ? allocateDefined(device.memory, bytes, MemoryKind::mailboxes)
                                               : device.memory.allocate(bytes, MemoryKind::mailboxes);
            box.ordinary[d] =
                allocateDefined(device.memory, bytes, options.pinned ? MemoryKind::pinned : MemoryKind::ordinary);
            device.output = allocateDefined(device.memory, results * 4, MemoryKind::ordinary);
        }
        for (u32 d = 0; d < options.devices; d++) {
            for (u32 other = 0; other < options.devices && options.connected; other++) {
                links_.connect(d, other);
            }
            Device &device = devices_[d];
            box.device = d;
            device.parameters =
                uploadTo(device.memory, TestArguments{operation, 0, uploadTo(device.memory, box), device.output});
            device.launch = std::make_unique<Launch>(peers::kernel, links_, d, 0, device.parameters,
                                                     LaunchOptions{.workgroups = groups,
                                                                   .dynamicLds = 1024,
                                                                   .seed = options.seed == 0 ? 0 : options.seed + d,
                                                                   .slice = 50,
                                                                   .patches = {},
                                                                   .reached = {}});
        }
    }

    ~Box() {
        for (Device &device : devices_) { // what they sent arrives while all memory is there
            device.launch.reset();
        }
    }
    Box(const Box &) = delete;
    Box &operator=(const Box &) = delete;

    Outcome run() {
        Outcome outcome;
        try {
            for (u32 running = options_.devices; running > 0;) {
                Device &device = devices_[random_() % options_.devices];
                if (device.launch != nullptr && device.launch->step(1 + random_() % options_.turn)) {
                    device.launch.reset();
                    running--;
                }
            }
        } catch (const ExecutionFault &found) {
            outcome.fault = found.kind;
            outcome.message = found.what();
            return outcome;
        }
        for (const Device &device : devices_) {
            const auto *from = reinterpret_cast<const u32 *>(device.output);
            outcome.output.emplace_back(from, from + results);
        }
        return outcome;
    }

private:
    BoxOptions options_;
    Interconnect links_;
    std::vector<Device> devices_;
    std::minstd_rand random_;
};

Outcome execute(u32 operation, const BoxOptions &options) { return Box(operation, options).run(); }

void expectFault(u32 operation, FaultKind kind, BoxOptions options = {}, const std::string &part = "device ") {
    for (options.seed = 0; options.seed < 4; options.seed++) {
        const Outcome outcome = execute(operation, options);
        CHECK_MESSAGE(outcome.fault == kind && outcome.message.find(part) != std::string::npos,
                      std::to_string(operation) + " seed " + std::to_string(options.seed) + ": " + outcome.message);
    }
}

/// Runs of many in which some thread of device 1 says that something was wrong. No run may fail.
u32 wrongRuns(u32 operation, u64 longestDelay) {
    u32 runs = 0;
    for (u64 seed = 1; seed <= 25; seed++) {
        const Outcome outcome = execute(operation, {.seed = seed, .longestDelay = longestDelay, .turn = 200});
        if (CHECK_MESSAGE(!outcome.fault, std::to_string(operation) + ": " + outcome.message)) {
            runs += std::ranges::count(outcome.output[1], 1u) > 0;
        }
    }
    return runs;
}

std::vector<u32> expectedExchange(u32 devices) {
    std::vector<u32> expected;
    for (u32 d = 0; d < devices; d++) {
        for (u32 i = 0; i < results; i++) {
            std::vector<u32> values(devices);
            for (u32 other = 0; other < devices; other++) {
                values[other] = i + other;
            }
            for (u32 round = 1; round <= 6; round++) {
                u32 sum = 0;
                for (u32 other = 0; other < devices; other++) {
                    sum += (other + 1) * values[other];
                }
                values.assign(devices, sum * 3 + round);
            }
            expected.push_back(values[d]);
        }
    }
    return expected;
}

} // namespace

TEST(devicesExchangeTaggedWords) {
    for (const u32 devices : {1u, 2u, 4u, 8u}) {
        const std::vector<u32> expected = expectedExchange(devices);
        for (u64 seed = 0; seed < 6; seed++) {
            const Outcome outcome = execute(
                0, {.devices = devices, .seed = seed, .longestDelay = seed == 1 ? 0 : 5'000 * seed, .turn = 3000});
            std::vector<u32> all;
            for (const std::vector<u32> &output : outcome.output) {
                all.insert(all.end(), output.begin(), output.end());
            }
            CHECK_MESSAGE(all == expected,
                          std::to_string(devices) + " devices, seed " + std::to_string(seed) + ": " + outcome.message);
        }
    }
}

TEST(storesToPeersOvertakeEachOther) {
    CHECK(wrongRuns(2, 20'000) == 0); // the first are waited for
    CHECK(wrongRuns(3, 20'000) > 0);
    CHECK(wrongRuns(3, 0) == 0); // it is the delay that does it
}

TEST(storesToOneAddressOfAPeerKeepOrder) { CHECK(wrongRuns(4, 20'000) == 0); }

TEST(aPeerSeesEightBytesAtOnceNotSixteen) { CHECK(wrongRuns(5, 20'000) > 0); }

TEST(storesArriveThoughTheirWavesHaveEnded) {
    for (u64 seed = 0; seed < 6; seed++) {
        const Outcome outcome = execute(6, {.seed = seed, .longestDelay = 50'000});
        if (CHECK_MESSAGE(!outcome.fault, outcome.message)) {
            CHECK(outcome.output[0][256 + 7] == 7 + 5 + 1 && outcome.output[1][7] == 7 + 5);
        }
    }
}

TEST(wordsOfPeersAreReadInSystemScope) {
    CHECK(wrongRuns(10, 20'000) == 25); // "1" is what was sent
    expectFault(11, FaultKind::peerScope, {}, "was written by device 0");
    expectFault(12, FaultKind::peerScope, {}, "was written by device 0");
}

TEST(storesToPeersNeedSystemScope) {
    expectFault(13, FaultKind::peerScope);
    expectFault(14, FaultKind::peerScope);
}

TEST(onlyMailboxesOfConnectedPeersAreStoredTo) {
    CHECK(!execute(19, {}).fault);
    expectFault(19, FaultKind::peerAccess, {.connected = false}, "not connected");
    expectFault(15, FaultKind::peerAccess, {}, "not for mailboxes");
    expectFault(15, FaultKind::peerAccess, {.pinned = true}, "not for mailboxes");
    expectFault(20, FaultKind::peerAccess);
}

TEST(peersAreNotReadFrom) {
    expectFault(16, FaultKind::peerAccess);
    expectFault(17, FaultKind::peerAccess);
    expectFault(18, FaultKind::peerAccess);
}

TEST(undefinedValuesAreKnownAcrossDevices) {
    expectFault(21, FaultKind::undefinedValue, {}, "device 1,");
    expectFault(22, FaultKind::undefinedValue, {.cleared = false});
}

TEST(devicesThatWaitForEachOtherForEverEndTheRun) { expectFault(22, FaultKind::deadlock); }
