#pragma once

#include "exec/cpu/cpu_cores.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace monokernel::cpu {

/// Threads that run one job at a time together with the calling thread, which is worker 0, and sleep in between. With
/// no more workers than cores each one is kept on a core of its own, the caller while it wants to be.
class WorkerPool {
public:
    using Job = std::function<void(uint32_t worker)>;

    /// `workers` threads in all (0: one a core) on `cores`.
    WorkerPool(uint32_t workers, std::vector<uint32_t> cores);
    ~WorkerPool();
    WorkerPool(const WorkerPool &) = delete;
    WorkerPool &operator=(const WorkerPool &) = delete;

    uint32_t size() const { return size_; }
    /// More workers than cores.
    bool crowded() const { return size_ > cores_.size(); }

    /// Whether all workers have returned from the last job, waiting up to `bound` for it.
    bool waitUntilIdle(std::chrono::nanoseconds bound);
    /// Ends the threads, once they have returned from their job; nothing may be run again.
    void stop();

    /// Runs job(worker) on every worker; returns when all have returned. `job` must not throw. False if some worker has
    /// not returned after `bound` beyond the caller's own return; the pool then refuses further jobs in the same way
    /// until that worker is back, and a copy of `job` lives until then.
    bool run(const Job &job, std::chrono::nanoseconds bound = std::chrono::hours(24));

    /// Like run(), but the caller runs `body`, and job(worker) is run by those workers only that body call()s.
    bool lead(const Job &job, const std::function<void()> &body, std::chrono::nanoseconds bound);

    /// Within lead(): has worker 1.. run the job, also again. False while it has not returned from it.
    bool call(uint32_t worker);

    /// Within lead(): keeps the caller on its core from now on, or no longer; run() does so by itself.
    void pinCaller(bool pinned);

private:
    struct Seat {
        std::condition_variable wake;
        bool called = false;
        std::thread thread;
    };

    void threadMain(uint32_t worker);
    bool waitForAll(std::unique_lock<std::mutex> &lock, std::chrono::nanoseconds bound);

    const std::vector<uint32_t> cores_;
    const uint32_t size_;
    std::mutex mutex_;
    std::condition_variable finished_;
    Job job_;
    uint32_t running_ = 0;
    bool stopping_ = false;
    std::optional<ThreadPin> callerPin_;
    std::vector<std::unique_ptr<Seat>> seats_; ///< of workers 1..
};

} // namespace monokernel::cpu
