#pragma once

#include "runtime/interconnect.h"
#include "runtime/wave.h"

#include <bitset>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace gfx942 {

/// A change to one instruction, to see whether the checks notice.
enum class Patch : uint8_t {
    none,
    removed, ///< a wait, barrier or store that does nothing
    plain,   ///< a memory access without its scope bits
    agent,   ///< one of system scope with device scope only
};

inline constexpr u32 dies = 8; ///< to which workgroups are dealt out in turn

struct LaunchOptions {
    u32 workgroups = 1;
    u32 threads = 256;
    u32 dynamicLds = 0;
    u64 seed = 0; ///< 0: round robin, stores at once; else random waves, slices and store delays
    u32 slice = 400;
    std::span<const Patch> patches; ///< one an instruction, or empty
    std::span<uint8_t> reached;     ///< likewise; set for each patchable instruction that runs
    /// Told of each lane's non-temporal load: the die that the workgroup is on, and the address.
    std::function<void(u32 die, u64 address)> streamed;
};

/// LDS and its shadow: who touched each dword last, and in which interval between barriers.
struct Workgroup {
    struct Word {
        u32 writtenIn = 0, readIn = 0; ///< barrier interval + 1
        uint8_t writer = 0, readers = 0;
        bool atomic = false;
    };
    u32 number = 0;
    std::vector<std::byte> lds;
    std::vector<uint8_t> defined; ///< one a byte
    std::vector<Word> words;
    std::vector<Wave *> waves;
    u32 waiting = 0; ///< waves at the barrier
    u32 finished = 0;
    u32 writtenBack = 0;      ///< store time up to which all plain stores have reached memory
    u32 invalidated = 0;      ///< time since which plain loads see memory
    u64 undefinedAddress = 0; ///< where a wave last loaded something undefined, and by which instruction
    u32 undefinedBy = 0;
};

/// One kernel launch: all workgroups resident, their waves interleaved by a scheduler, every instruction checked.
class Launch {
public:
    Launch(const TranslatedKernel &kernel, Interconnect &interconnect, u32 device, u64 codeBase, u64 parameters,
           const LaunchOptions &options);
    ~Launch();
    Launch(const Launch &) = delete;
    Launch &operator=(const Launch &) = delete;

    /// Runs about `instructions` wave-instructions, fewer when every wave waits for other devices; true when every wave
    /// has finished. Throws ExecutionFault.
    bool step(u64 instructions);
    u64 executed() const { return executed_; }

    const TranslatedKernel &kernel;
    Interconnect &interconnect;
    const u32 device; ///< of the interconnect
    DeviceMemory &memory;
    const u64 codeBase;
    const LaunchOptions options;
    uint16_t number; ///< of this launch, in shadows
    u32 time = 1;    ///< count of stores, write-backs and invalidations

    Patch patch(u32 instruction) const {
        if (!options.reached.empty()) {
            options.reached[instruction] = 1;
        }
        return options.patches.empty() ? Patch::none : options.patches[instruction];
    }
    u64 ticks() const; ///< of the 100 MHz clock
    /// A store became visible: waves that polled its line may go on.
    void sawStore(u64 address) {
        storesSinceWake_++;
        stored_.set(lineOf(address));
    }
    /// The wave read these addresses to see what others wrote: should it sleep next, it waits for one of them.
    void notePoll(const Wave &w, const Addresses &at, u64 x) {
        for (u64 left = x; left != 0; left &= left - 1) {
            polled_[waveNumber(w)].set(lineOf(at.lane[__builtin_ctzll(left)]));
        }
    }
    bool hasPolled(const Wave &w) const { return polled_[waveNumber(w)].any(); }
    /// True with probability 1/n; never in round-robin order.
    bool chance(u32 n) { return options.seed != 0 && random_() % n == 0; }
    Workgroup &group(u32 index) { return groups_[index]; }
    std::span<const std::unique_ptr<Wave>> waves() const { return waves_; }

private:
    /// Lines of 64 bytes, hashed: a set of addresses that errs only by holding too many.
    using Lines = std::bitset<1024>;
    static size_t lineOf(u64 address) { return (address >> 6) * 0x9e3779b97f4a7c15ull >> 54; }

    void start(Wave &wave, Workgroup &group, u32 index, u64 parameters);
    void runSlice(u32 slot);
    void settle(Wave &wave);
    void wakeSleepers(bool all);
    u32 waveNumber(const Wave &w) const {
        return static_cast<u32>(w.group->number * (options.threads / laneCount) + w.index);
    }
    void drain(Wave &wave);
    void drainAll();
    bool passTime();
    std::string stuckWaves() const;

    std::vector<Workgroup> groups_;
    std::vector<std::unique_ptr<Wave>> waves_;
    std::vector<Wave *> runnable_, asleep_, draining_;
    std::vector<Lines> polled_;   ///< a wave, since it last woke
    Lines stored_, storedBefore_; ///< since the last time that sleepers were looked at, and in the time before
    std::minstd_rand random_;
    u64 executed_ = 0, next_ = 0, storesSinceWake_ = 1, skippedTicks_ = 0;
    u32 idleRounds_ = 0, patience_;
    u64 storesAtIdle_ = 0, storesSeen_ = 0; ///< of all devices
    u64 lastStoreAt_ = 0;                   ///< in instructions
};

} // namespace gfx942
