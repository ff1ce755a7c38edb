#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace monokernel::cpu {

/// Threads that run one job at a time together with the calling thread, which is worker 0, and sleep in between. With
/// no more workers than cores each one is kept on a core of its own.
class WorkerPool {
public:
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
    /// Ends the threads, once they have returned from their job; run() must not be called again.
    void stop();

    /// Runs job(worker) on every worker; returns when all have returned. `job` must not throw. False if some worker has
    /// not returned after `bound` beyond the caller's own return; the pool then refuses further jobs in the same way
    /// until that worker is back, and a copy of `job` lives until then.
    bool run(const std::function<void(uint32_t)> &job, std::chrono::nanoseconds bound = std::chrono::hours(24));

private:
    void threadMain(uint32_t worker);
    bool waitForAll(std::unique_lock<std::mutex> &lock, std::chrono::nanoseconds bound);

    const std::vector<uint32_t> cores_;
    const uint32_t size_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable finished_;
    std::function<void(uint32_t)> job_;
    uint64_t generation_ = 0;
    uint32_t running_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

} // namespace monokernel::cpu
