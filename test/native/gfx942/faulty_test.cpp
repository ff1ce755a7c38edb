#include "check.h"
#include "test_kernel.h"

#include <algorithm>
#include <optional>

using namespace gfx942;

namespace {

constexpr u32 words = 8192;

/// The fault of a run, and its results when there is none.
struct Outcome {
    std::optional<FaultKind> fault;
    std::string message;
    std::vector<u32> output;
};

Outcome execute(u32 operation, u64 seed, std::span<const Patch> patches = {}, u32 slice = 400) {
    Outcome outcome;
    try {
        outcome.output = run<u32>(
            faulty::kernel, operation, std::vector<u32>(512, 3), words,
            {.workgroups = 3, .dynamicLds = 1024, .seed = seed, .slice = slice, .patches = patches, .reached = {}});
    } catch (const ExecutionFault &found) {
        outcome.fault = found.kind;
        outcome.message = found.what();
    }
    return outcome;
}

void expectFault(u32 operation, FaultKind kind) {
    for (u64 seed = 0; seed < 5; seed++) {
        const Outcome outcome = execute(operation, seed);
        CHECK_MESSAGE(outcome.fault == kind,
                      std::to_string(operation) + " seed " + std::to_string(seed) + ": " + outcome.message);
    }
}

void expectClean(u32 operation) {
    for (u64 seed = 0; seed < 10; seed++) {
        const Outcome outcome = execute(operation, seed);
        CHECK_MESSAGE(!outcome.fault,
                      std::to_string(operation) + " seed " + std::to_string(seed) + ": " + outcome.message);
    }
}

} // namespace

TEST(missingWaitOfAnAssemblyLoadIsFound) {
    expectClean(0);
    expectFault(1, FaultKind::missingWait);
}

TEST(plainReadOfAnotherWorkgroupsDataIsFound) {
    expectClean(2);
    expectFault(3, FaultKind::incoherent);
}

TEST(missingBarrierIsFound) {
    expectClean(4);
    expectFault(5, FaultKind::race);
    expectFault(7, FaultKind::race);
}

TEST(scalarLoadOfStoredDataIsFound) {
    expectClean(8);
    expectFault(9, FaultKind::incoherent);
}

TEST(flagThatOvertakesItsDataIsSeen) {
    const auto wrong = [](u32 operation) {
        u32 runs = 0;
        for (u64 seed = 1; seed < 30; seed++) {
            const Outcome outcome = execute(operation, seed, {}, 16);
            runs += !outcome.fault && std::count(outcome.output.begin() + 256, outcome.output.begin() + 768, 1u) > 0;
        }
        return runs;
    };
    CHECK(wrong(10) == 0);
    CHECK(wrong(11) > 0);
}

TEST(addressesOutsideAreFound) {
    expectFault(13, FaultKind::outOfBounds);
    expectFault(15, FaultKind::outOfBounds);
    expectFault(25, FaultKind::misaligned);
}

TEST(useOfUndefinedValuesIsFound) {
    expectFault(17, FaultKind::undefinedValue);
    expectFault(19, FaultKind::undefinedValue);
    expectClean(20);
    expectFault(27, FaultKind::undefinedValue);
}

TEST(deadlockEndsTheRun) { expectFault(21, FaultKind::deadlock); }

TEST(wavesThatEndedAreNotWaitedFor) { expectClean(23); }

TEST(removedBarriersAndWaitsAreFound) {
    // Every barrier and wait of the LDS exchange, taken away one at a time; compilers add waits that only some paths
    // need.
    const auto &listing = faulty::kernel.instructions;
    u32 barriers = 0, found = 0;
    for (size_t i = 0; i < listing.size(); i++) {
        if (std::string(listing[i].text) == "s_barrier") {
            std::vector<Patch> patches(listing.size(), Patch::none);
            patches[i] = Patch::removed;
            barriers++;
            found += execute(4, 1, patches).fault == FaultKind::race;
        }
    }
    CHECK(barriers >= 2 && found >= 2);
}
