#include "runtime/launch.h"

#include "runtime/store_queue.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace gfx942 {

namespace {

constexpr u32 poison = 0xffbadbadu;
/// Rounds in which every wave polled and no store happened; the clock is moved on before each, so a kernel whose waits
/// are bounded by time gives up first.
constexpr u32 idleLimit = 400;
constexpr u64 idleTicks = 5'000'000; // 50 ms of the 100 MHz clock
constexpr u64 spinLimit = 40'000;    // instructions a wave without one store anywhere
/// With other devices a kernel gets so many times the patience: its long waits look for what the host says.
constexpr u32 patienceWithPeers = 11;

} // namespace

Launch::Launch(const TranslatedKernel &translated, Interconnect &box, u32 deviceNumber, u64 base, u64 parameters,
               const LaunchOptions &launchOptions)
    : kernel(translated), interconnect(box), device(deviceNumber), memory(box.memory(deviceNumber)), codeBase(base),
      options(launchOptions), number(memory.nextLaunch()), groups_(launchOptions.workgroups),
      random_(static_cast<u32>(launchOptions.seed)), patience_(box.size() > 1 ? patienceWithPeers : 1) {
    const u32 wavesPerGroup = options.threads / laneCount;
    polled_.resize(options.workgroups * wavesPerGroup);
    for (u32 g = 0; g < options.workgroups; g++) {
        Workgroup &group = groups_[g];
        const u32 bytes = kernel.staticLds + options.dynamicLds;
        group.number = g;
        group.lds.resize(bytes);
        for (u32 at = 0; at + 4 <= bytes; at += 4) {
            std::memcpy(group.lds.data() + at, &poison, 4);
        }
        group.defined.assign(bytes, 0);
        group.words.resize((bytes + 3) / 4);
        for (u32 index = 0; index < wavesPerGroup; index++) {
            waves_.push_back(std::make_unique_for_overwrite<Wave>());
            start(*waves_.back(), group, index, parameters);
        }
    }
    interconnect.begin(device, *this);
}

Launch::~Launch() { interconnect.end(device, *this); }

void Launch::start(Wave &w, Workgroup &group, u32 index, u64 parameters) {
    for (u32 r = 0; r < vectorWords; r++) {
        const bool used =
            r < 256 ? r < kernel.accumulationOffset : r - 256 + kernel.accumulationOffset < kernel.vectorRegisters;
        w.defined[r] = 0;
        if (used) {
            std::fill_n(w.v[r], laneCount, poison);
        }
    }
    std::fill_n(w.s, 128, poison);
    std::fill_n(w.scalarDefined, 128, 0u);
    std::fill_n(w.pending, 10, 0ull);
    const auto set = [&](u32 r, u32 value) {
        w.s[r] = value;
        w.scalarDefined[r] = ~0u;
    };
    if (kernel.kernargRegister >= 0) {
        set(static_cast<u32>(kernel.kernargRegister), static_cast<u32>(parameters));
        set(static_cast<u32>(kernel.kernargRegister) + 1, static_cast<u32>(parameters >> 32));
    }
    set(kernel.workgroupRegister, group.number);
    set(execRegister, ~0u);
    set(execRegister + 1, ~0u);
    for (u32 lane = 0; lane < laneCount; lane++) {
        w.v[0][lane] = index * laneCount + lane;
    }
    w.defined[0] = ~0ull;
    w.scc = 0;
    w.sccDefined = false;
    w.state = WaveState::running;
    w.block = 0;
    w.index = index;
    w.barriers = 0;
    w.executed = 0;
    w.launch = this;
    w.group = &group;
    group.waves.push_back(&w);
    runnable_.push_back(&w);
}

u64 Launch::ticks() const {
    // About 4 shader cycles an instruction at 2.1 GHz, all waves at once.
    return executed_ / (5 * waves_.size()) + skippedTicks_;
}

/// Sleepers go on whose polled lines were stored to, or all of them.
void Launch::wakeSleepers(bool all) {
    const Lines stored = stored_ | storedBefore_;
    std::erase_if(asleep_, [&](Wave *wave) {
        Lines &polled = polled_[waveNumber(*wave)];
        if (!all && (polled & stored).none()) {
            return false;
        }
        polled.reset();
        wave->state = WaveState::running;
        runnable_.push_back(wave);
        return true;
    });
    storedBefore_ = stored_;
    stored_.reset();
    storesSinceWake_ = 0;
}

/// After a slice: where the wave goes on, and whether its workgroup's barrier opens.
void Launch::settle(Wave &w) {
    Workgroup &group = *w.group;
    if (w.state == WaveState::asleep) {
        asleep_.push_back(&w);
        return;
    }
    (w.state == WaveState::finished ? group.finished : group.waiting)++;
    if (w.state == WaveState::finished && !w.delayed.empty()) {
        draining_.push_back(&w);
    }
    if (group.waiting > 0 && group.waiting + group.finished == group.waves.size()) {
        group.waiting = 0;
        for (Wave *wave : group.waves) {
            if (wave->state == WaveState::atBarrier) {
                wave->state = WaveState::running;
                wave->barriers++;
                runnable_.push_back(wave);
            }
        }
    }
}

void Launch::runSlice(u32 slot) {
    Wave &w = *runnable_[slot];
    const u64 before = w.executed;
    const u64 length = options.seed != 0 ? 1 + random_() % options.slice : options.slice;
    while (w.state == WaveState::running && w.executed - before < length) {
        w.block = kernel.blocks[w.block](w);
    }
    executed_ += w.executed - before;
    interconnect.advance(w.executed - before);
    if (chance(3)) {
        drain(w);
    }
    if (w.state != WaveState::running) {
        runnable_.erase(runnable_.begin() + slot);
        settle(w);
    }
}

/// Some of the wave's stores arrive, in no order.
void Launch::drain(Wave &w) {
    if (!w.delayed.empty()) {
        const u32 mask = random_();
        applyStores(w, w.delayed, [&](const DelayedStore &store) { return mask >> (store.address / 4 % 24) & 1; });
    }
}

void Launch::drainAll() {
    for (const auto &wave : waves_) {
        applyOwnStores(*wave);
    }
    draining_.clear();
}

std::string Launch::stuckWaves() const {
    std::string text;
    for (const auto &wave : waves_) {
        if (wave->state != WaveState::finished && text.size() < 300) {
            text.append(" ")
                .append(std::to_string(wave->group->number))
                .append(".")
                .append(std::to_string(wave->index));
            text.append(wave->state == WaveState::atBarrier ? "(barrier)" : "(polls)");
        }
    }
    const std::string where = interconnect.size() > 1 ? "device " + std::to_string(device) + ", " : std::string();
    return where + "no store by any wave; workgroup.wave:" + text;
}

/// Nothing can run: stores under way arrive. When that wakes nobody and no other device can do anything either, time
/// passes and everyone looks again. False when the device has to wait for the others.
bool Launch::passTime() {
    drainAll();
    wakeSleepers(false);
    if (runnable_.empty()) {
        interconnect.setIdle(device);
        if (interconnect.othersBusy(device)) {
            return false;
        }
        if (interconnect.skipToArrival()) {
            wakeSleepers(false);
            return !runnable_.empty();
        }
        skippedTicks_ += idleTicks;
        idleRounds_ = interconnect.stores() == storesAtIdle_ ? idleRounds_ + 1 : 0;
        storesAtIdle_ = interconnect.stores();
        wakeSleepers(true);
    }
    if (idleRounds_ > idleLimit * patience_) {
        throw ExecutionFault(FaultKind::deadlock, stuckWaves());
    }
    return true;
}

bool Launch::step(u64 instructions) {
    const u64 end = executed_ + instructions;
    interconnect.takeTurn(device);
    while (executed_ < end) {
        if (runnable_.empty() && asleep_.empty()) {
            if (!std::ranges::all_of(waves_, [](const auto &w) { return w->state == WaveState::finished; })) {
                throw ExecutionFault(FaultKind::deadlock, stuckWaves());
            }
            drainAll();
            interconnect.end(device, *this);
            return true;
        }
        if (storesSeen_ != interconnect.stores()) {
            storesSeen_ = interconnect.stores();
            lastStoreAt_ = executed_;
        } else if (executed_ - lastStoreAt_ > spinLimit * patience_ * waves_.size()) {
            throw ExecutionFault(FaultKind::deadlock, stuckWaves());
        }
        if (runnable_.empty()) {
            if (!passTime()) {
                return false;
            }
        } else if (storesSinceWake_ > 0 && chance(8)) {
            wakeSleepers(false);
        }
        if (!draining_.empty() && chance(16)) {
            drain(*draining_[random_() % draining_.size()]);
        }
        next_ = options.seed != 0 ? random_() % runnable_.size() : next_ % runnable_.size();
        const size_t before = runnable_.size();
        runSlice(static_cast<u32>(next_));
        next_ += options.seed == 0 && runnable_.size() >= before ? 1 : 0;
    }
    return false;
}

} // namespace gfx942
