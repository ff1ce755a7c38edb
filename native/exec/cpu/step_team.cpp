#include "exec/cpu/step_team.h"

#include "exec/cpu/spin_wait.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace monokernel::cpu {

namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t workerBits = 16;
/// The order after a request's last step.
constexpr uint64_t disband = UINT64_MAX;

constexpr uint64_t orderOf(uint64_t step, uint32_t workers) { return step << workerBits | workers; }
constexpr uint32_t workersOf(uint64_t order) { return static_cast<uint32_t>(order & ((1u << workerBits) - 1)); }

} // namespace

StepTeam::StepTeam(WorkerPool &pool, const StepResources &resources, uint32_t tokenEdge, WorkerCountPolicy &policy)
    : pool_(pool), r_(resources), tokenEdge_(tokenEdge), policy_(policy), seats_(pool.size()) {
    for (uint32_t worker = 0; worker < pool.size(); worker++) {
        runners_.push_back(std::make_unique<StepRunner>(resources, worker));
    }
}

bool StepTeam::lead(const std::function<void()> &body) {
    if (!pool_.waitUntilIdle(r_.progress.bound())) {
        return false;
    }
    r_.progress.reset();
    for (AlignedSeat &seat : seats_) {
        seat.value.store(Seat::away, std::memory_order_relaxed);
    }
    order_.store(0, std::memory_order_relaxed);
    steps_ = 0;
    failure_ = nullptr;
    const auto lead = [&] {
        try {
            body();
        } catch (...) {
            keepFailure();
        }
        order_.store(disband, std::memory_order_release);
        pool_.pinCaller(false);
    };
    const bool allBack = pool_.lead([this](uint32_t worker) { follow(worker); }, lead, r_.progress.bound());
    const std::lock_guard lock(failureMutex_);
    if (failure_) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
    }
    return allBack && r_.progress.leaving() != Progress::Leave::expired;
}

void StepTeam::keepFailure() {
    r_.progress.leave(Progress::Leave::failed);
    const std::lock_guard lock(failureMutex_);
    failure_ = std::current_exception();
}

bool StepTeam::run(Step step, const std::atomic<bool> *cancel) {
    const auto tokens = static_cast<uint32_t>(step.tokens.size());
    step.workers = gather(policy_.choose(tokens, Clock::now()));
    step.index = steps_++;
    step_ = step;
    if (tokens > 1) {
        r_.takenUnits.reset();
    }
    const Clock::time_point start = Clock::now();
    order_.store(orderOf(steps_, step.workers), std::memory_order_release);
    if (!runners_[0]->run(step, cancel)) {
        return false;
    }
    const Clock::time_point end = Clock::now();
    policy_.observe({tokens, step.workers, end - start, r_.progress.takeLostTime(step.workers)}, end);
    return true;
}

/// Invites and dismisses, and gives the number of workers that are there. Only a request's first step waits for them:
/// later ones go on with fewer until the others are awake.
uint32_t StepTeam::gather(const WorkerChoice &choice) {
    const uint32_t wanted = std::clamp(choice.workers, 1u, pool_.size());
    pool_.pinCaller(wanted > 1); // Alone it may go where a core is free.
    for (uint32_t worker = 1; worker < pool_.size(); worker++) {
        if (worker < wanted) {
            invite(worker);
        } else {
            dismiss(worker);
        }
    }
    uint32_t count = present(wanted);
    if (steps_ == 0 && count < wanted) {
        SpinWait spin(std::min(choice.patience, r_.progress.bound()), pool_.crowded());
        do {
            count = present(wanted);
        } while (count < wanted && spin.pause());
    }
    return count;
}

uint32_t StepTeam::present(uint32_t wanted) const {
    uint32_t count = 1;
    while (count < wanted && seats_[count].value.load(std::memory_order_acquire) == Seat::here) {
        count++;
    }
    return count;
}

void StepTeam::invite(uint32_t worker) {
    std::atomic<Seat> &seat = seats_[worker].value;
    Seat now = seat.load(std::memory_order_acquire);
    if (now == Seat::dismissed) {
        seat.compare_exchange_strong(now, Seat::here); // It may not have noticed yet.
    } else if (now == Seat::away) {
        seat.store(Seat::called, std::memory_order_relaxed);
        if (!pool_.call(worker)) { // Not asleep yet: again before the next step.
            seat.store(Seat::away, std::memory_order_relaxed);
        }
    }
}

/// One that is still on its way in is dismissed when it has arrived.
void StepTeam::dismiss(uint32_t worker) {
    Seat here = Seat::here;
    seats_[worker].value.compare_exchange_strong(here, Seat::dismissed);
}

void StepTeam::follow(uint32_t worker) {
    seats_[worker].value.store(Seat::here, std::memory_order_release);
    try {
        uint64_t seen = 0;
        while (awaitOrder(worker, seen) && runners_[worker]->run(step_, nullptr)) {
        }
    } catch (...) {
        keepFailure();
    }
}

/// Until there is a step for this worker: true. False when it shall go.
bool StepTeam::awaitOrder(uint32_t worker, uint64_t &seen) {
    SpinWait spin(r_.progress.bound(), pool_.crowded());
    while (true) {
        const uint64_t order = order_.load(std::memory_order_acquire);
        if (order == disband || r_.progress.leaving() != Progress::Leave::no) {
            return false;
        }
        if (order != seen) {
            seen = order;
            if (worker < workersOf(order)) {
                return true;
            }
            spin = SpinWait(r_.progress.bound(), pool_.crowded());
        }
        Seat dismissed = Seat::dismissed;
        if (seats_[worker].value.load(std::memory_order_relaxed) == dismissed &&
            seats_[worker].value.compare_exchange_strong(dismissed, Seat::away)) {
            return false;
        }
        if (!spin.pause()) {
            r_.progress.expire(0, tokenEdge_);
            return false;
        }
    }
}

} // namespace monokernel::cpu
