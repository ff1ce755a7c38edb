#include "check.h"
#include "shipped_kernel.h"

#include <cstdio>
#include <functional>
#include <string_view>

using namespace gfx942;

// Faults put into the shipped kernel, one instruction at a time, and whether the execution notices: by a fault, an
// error of the executor, or other tokens. Not every one can be noticed: some waits and barriers are there for paths
// that these runs do not take, some polls read what nobody has written.

namespace {

struct Outcome {
    std::string error; ///< empty: the run went through
    std::vector<int32_t> tokens;
};

struct Run {
    Outcome outcome;
    std::vector<uint8_t> reached;
};

/// With one or two devices.
Run runPatched(u32 devices, u32 instruction, Patch patch) {
    const std::filesystem::path folder = std::filesystem::path(MONOKERNEL_GOLDEN) / "laneformer-delay2";
    static const std::vector<int32_t> prompt = [&] {
        auto tokens = golden::readFolder(folder).prompt;
        tokens.resize(3);
        return tokens;
    }();
    // Three workgroups a lane, so that keys, values and partial sums cross workgroups.
    TranslationOptions options{.computeUnits = 24 / devices, .seed = 5, .slice = 200};
    options.patches.assign(gfx942::monokernel::kernel.instructions.size(), Patch::none);
    options.patches[instruction] = patch;
    TranslatedExecutor translated(folder, translatedDevices(devices, options, 10'000));
    Run run;
    try {
        run.outcome.tokens = golden::run(*translated.executor, golden::greedyJob(prompt, 2)).tokens;
    } catch (const ::monokernel::ExecutionError &error) {
        run.outcome.error = error.what();
    }
    run.reached = translated.driver->reached();
    return run;
}

const Run &unpatched(u32 devices) {
    static const Run one = runPatched(1, 0, Patch::none), two = runPatched(2, 0, Patch::none);
    return devices == 1 ? one : two;
}

/// Patches up to `limit` of the instructions that run and that `which` picks, spread evenly; at least `share` of them
/// must be noticed.
void expectNoticed(const char *name, Patch patch, size_t limit, double share,
                   const std::function<bool(std::string_view)> &which, u32 devices = 1) {
    const Run &unpatchedRun = unpatched(devices);
    if (!CHECK_MESSAGE(unpatchedRun.outcome.error.empty(), unpatchedRun.outcome.error)) {
        return;
    }
    const auto &listing = gfx942::monokernel::kernel.instructions;
    std::vector<u32> candidates;
    for (u32 i = 0; i < listing.size(); i++) {
        if (unpatchedRun.reached[i] && which(listing[i].text)) {
            candidates.push_back(i);
        }
    }
    const size_t tried = std::min(limit, candidates.size());
    size_t noticed = 0;
    for (size_t i = 0; i < tried; i++) {
        const u32 instruction = candidates[i * candidates.size() / tried];
        const Outcome outcome = runPatched(devices, instruction, patch).outcome;
        const bool differs = !outcome.error.empty() || outcome.tokens != unpatchedRun.outcome.tokens;
        noticed += differs;
        std::printf("     %s %#lx %s: %.90s\n", name, listing[instruction].address, listing[instruction].text,
                    !differs                ? "not noticed"
                    : outcome.error.empty() ? "other tokens"
                                            : outcome.error.c_str());
    }
    std::printf("     %s: %zu of %zu noticed (%zu run)\n", name, noticed, tried, candidates.size());
    CHECK_MESSAGE(tried > 0 && static_cast<double>(noticed) >= share * static_cast<double>(tried), name);
}

bool startsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }
bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

} // namespace

// On so few positions each workgroup reads the keys and values that it wrote itself; those loads, about half of all,
// need no scope here.
TEST(seededPlainLoads) {
    expectNoticed("plain load", Patch::plain, 12, 0.4,
                  [](std::string_view text) { return startsWith(text, "global_load") && has(text, " sc1"); });
}

TEST(seededPlainStores) {
    expectNoticed("plain store", Patch::plain, 8, 0.8,
                  [](std::string_view text) { return startsWith(text, "global_store") && has(text, " sc1"); });
}

TEST(seededDroppedTags) {
    expectNoticed("dropped store", Patch::removed, 6, 0.8,
                  [](std::string_view text) { return startsWith(text, "global_store_dwordx2") && has(text, " sc1"); });
}

TEST(seededMissingBarriers) {
    expectNoticed("missing barrier", Patch::removed, 16, 0.5,
                  [](std::string_view text) { return text == "s_barrier"; });
}

TEST(seededMissingWaits) {
    expectNoticed("missing wait", Patch::removed, 16, 0.6, [](std::string_view text) {
        return startsWith(text, "s_waitcnt") && (has(text, "vmcnt(0)") || has(text, "lgkmcnt(0)"));
    });
}

// Between two devices. What both write and read of their own in system scope, as they do the other's, would do with
// device scope; a store to the host would not.

namespace {

bool ofTheBox(std::string_view text) { return has(text, " sc0 sc1"); }

} // namespace

TEST(seededDroppedStoresBetweenDevices) {
    expectNoticed(
        "dropped store of the box", Patch::removed, 4, 0.7,
        [](std::string_view text) { return startsWith(text, "global_store") && ofTheBox(text); }, 2);
}

TEST(seededDeviceScopeStoresBetweenDevices) {
    expectNoticed(
        "store of the box in device scope", Patch::agent, 10, 0.4,
        [](std::string_view text) { return startsWith(text, "global_store") && ofTheBox(text); }, 2);
}

TEST(seededDeviceScopeLoadsOfMailboxes) {
    expectNoticed(
        "mailbox load in device scope", Patch::agent, 10, 0.5,
        [](std::string_view text) { return startsWith(text, "global_load") && ofTheBox(text); }, 2);
}
