#pragma once

#include "exec/cpu/progress.h"
#include "exec/cpu/step_runner.h"
#include "exec/cpu/worker_count.h"
#include "exec/cpu/worker_pool.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace monokernel::cpu {

/// The workers of a request. Worker 0, the caller, leads: before each step it takes as many of the others as the policy
/// wants and as are awake, and gives them the step. The others spin for the next step; one that is not wanted any more
/// goes to sleep until it is called again.
class StepTeam {
public:
    /// `tokenEdge`: the edge that followers wait for between steps.
    StepTeam(WorkerPool &pool, const StepResources &resources, uint32_t tokenEdge, WorkerCountPolicy &policy);

    /// Runs `body` on the calling thread, within which run() may be used. Throws what `body` or a worker threw. False
    /// when a wait expired: progress says which.
    bool lead(const std::function<void()> &body);

    /// Runs a step; its `index` and `workers` are filled in here. What `step` refers to must live until lead() returns.
    /// False: the request is being left. `cancel` is looked at before every phase.
    bool run(Step step, const std::atomic<bool> *cancel);

private:
    /// `called`, `dismissed`: on its way in, out; worker 0 sets these, the worker itself the others.
    enum class Seat : uint8_t { away, called, here, dismissed };
    struct alignas(128) AlignedSeat {
        std::atomic<Seat> value{Seat::away};
    };

    void follow(uint32_t worker);
    bool awaitOrder(uint32_t worker, uint64_t &seen);
    void invite(uint32_t worker);
    void dismiss(uint32_t worker);
    uint32_t gather(const WorkerChoice &choice);
    uint32_t present(uint32_t wanted) const;
    void keepFailure();

    WorkerPool &pool_;
    const StepResources r_;
    const uint32_t tokenEdge_;
    WorkerCountPolicy &policy_;
    std::vector<std::unique_ptr<StepRunner>> runners_;
    std::vector<AlignedSeat> seats_;
    /// Number of the step (from 1) and its workers: the signal that step_ is there for them.
    alignas(128) std::atomic<uint64_t> order_{0};
    Step step_;
    uint64_t steps_ = 0;
    std::mutex failureMutex_;
    std::exception_ptr failure_;
};

} // namespace monokernel::cpu
