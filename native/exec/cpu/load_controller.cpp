#include "exec/cpu/load_controller.h"

#include <algorithm>

namespace monokernel::cpu {

namespace {

using namespace std::chrono_literals;
using Duration = std::chrono::duration<double>;

/// Timings count for about this long, which is several slices of the scheduler, or for these steps if they take longer.
constexpr Duration memory = 25ms;
constexpr double memorySteps = 8;
/// How long a count's mean is good for comparisons: other programs and the depth of the context change.
constexpr Duration freshFor = 2s;

/// Lost time that is worth trying fewer workers where their speed is not known, and where it is.
constexpr double lostShareToTry = 0.12, lostShareToCompare = 0.05;
constexpr uint32_t probeDownSteps = 3;
/// A first lost slice is mostly followed by more, so that fewer workers are kept until the next probe even if they are
/// this much slower than the mean was so far.
constexpr double tolerableLoss = 1.3;
/// More workers must be quicker by this, over this time and these steps.
constexpr double worthwhile = 0.98;
constexpr Duration probeUpTime = 16ms;
constexpr uint32_t probeUpSteps = 4;

/// A failed probe costs about one slice, a few milliseconds: 1 % and less at the longest pause.
constexpr Duration firstUpPause = 25ms, mostUpPause = 800ms;
constexpr Duration firstDownPause = 50ms, mostDownPause = 10s;
/// The part of the pause that must have been spent in steps, so that not every short request starts with a probe.
constexpr double partInSteps = 1.0 / 8;
/// Who comes down within this time after a probe was misled by it.
constexpr Duration misled = 500ms;

LoadController::Time after(LoadController::Time now, Duration pause) {
    return now + std::chrono::duration_cast<LoadController::Time::duration>(pause);
}

} // namespace

LoadController::LoadController(uint32_t most)
    : most_(most), count_(most), recent_(most), upPause_(firstUpPause), downPause_(firstDownPause) {}

void LoadController::Recent::add(const StepTiming &timing, Time now) {
    const double forget = std::min(1.0 / memorySteps, Duration(timing.duration) / memory);
    tokens = tokens * (1 - forget) + timing.tokens;
    time = time * (1 - forget) + timing.duration;
    lost = lost * (1 - forget) + timing.lost;
    last = now;
}

bool LoadController::Recent::isFresh(Time now) const { return tokens > 0 && now - last < freshFor; }

/// One worker fewer, or an eighth of many.
uint32_t LoadController::below(uint32_t count) const { return count - std::max(1u, count / 8); }

uint32_t LoadController::above(uint32_t count) const {
    uint32_t higher = most_;
    while (below(higher) > count) {
        higher = below(higher);
    }
    return higher;
}

uint32_t LoadController::choose(Time now) {
    const bool mayProbe = now >= nextUp_ && inSteps_ >= partInSteps * upPause_;
    if (state_ == State::settled && count_ < most_ && mayProbe) {
        begin(State::probingUp, above(count_), now);
    }
    return count_;
}

void LoadController::observe(const StepTiming &timing, Time now) {
    recentOf(timing.workers).add(timing, now);
    inSteps_ += timing.duration;
    steps_++;
    switch (state_) {
    case State::settled:
        return whenSettled(now);
    case State::probingDown:
        return whenProbingDown(now);
    case State::probingUp:
        return whenProbingUp(now);
    }
}

void LoadController::begin(State state, uint32_t count, Time now) {
    state_ = state;
    count_ = count;
    recentOf(count) = {};
    steps_ = 0;
    begun_ = now;
}

void LoadController::whenSettled(Time now) {
    if (count_ == 1 || now < nextDown_) {
        return;
    }
    const Recent &here = recentOf(count_), &lower = recentOf(below(count_));
    if (!lower.isFresh(now)) {
        if (here.lostShare() > lostShareToTry) {
            begin(State::probingDown, below(count_), now);
        }
    } else if (here.lostShare() > lostShareToCompare && here.perToken() > lower.perToken()) {
        goDown(below(count_), now);
    }
}

void LoadController::whenProbingDown(Time now) {
    if (steps_ < probeDownSteps) {
        return;
    }
    const uint32_t higher = above(count_);
    if (recentOf(count_).perToken() <= tolerableLoss * recentOf(higher).perToken()) {
        return goDown(count_, now);
    }
    begin(State::settled, higher, now);
    nextDown_ = after(now, downPause_);
    downPause_ = std::min(2 * downPause_, mostDownPause);
}

void LoadController::whenProbingUp(Time now) {
    const Recent &here = recentOf(count_), &lower = recentOf(below(count_));
    const bool quicker = here.tokens > 0 && (lower.isFresh(now) ? here.perToken() < worthwhile * lower.perToken()
                                                                : here.lostShare() < lostShareToTry);
    const bool over = now - begun_ >= probeUpTime && steps_ >= probeUpSteps;
    if (over && quicker) {
        state_ = State::settled;
        wentUp_ = now;
    } else if (over || (here.lost > Duration{0} && !quicker)) {
        goDown(below(count_), now);
    }
}

/// Settles on fewer workers until the next probe, which comes the later, the sooner the last one was proved wrong.
void LoadController::goDown(uint32_t count, Time now) {
    const bool wasMisled = state_ == State::probingUp || now - wentUp_ < misled;
    upPause_ = wasMisled ? std::min(2 * upPause_, mostUpPause) : firstUpPause;
    state_ = State::settled;
    count_ = count;
    nextUp_ = after(now, upPause_);
    inSteps_ = Duration{0};
}

} // namespace monokernel::cpu
