#include "exec/cpu/worker_pool.h"

#include "exec/cpu/cpu_cores.h"

#include <optional>
#include <utility>

namespace monokernel::cpu {

WorkerPool::WorkerPool(uint32_t workers, std::vector<uint32_t> cores)
    : cores_(std::move(cores)), size_(workers == 0 ? static_cast<uint32_t>(cores_.size()) : workers) {
    threads_.reserve(size_ - 1);
    try {
        for (uint32_t worker = 1; worker < size_; worker++) {
            threads_.emplace_back([this, worker] { threadMain(worker); });
        }
    } catch (...) {
        stop();
        throw;
    }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread &thread : threads_) {
        thread.join();
    }
    threads_.clear();
}

bool WorkerPool::waitUntilIdle(std::chrono::nanoseconds bound) {
    std::unique_lock lock(mutex_);
    return waitForAll(lock, bound);
}

bool WorkerPool::run(const std::function<void(uint32_t)> &job, std::chrono::nanoseconds bound) {
    std::unique_lock lock(mutex_);
    if (!waitForAll(lock, bound)) {
        return false;
    }
    job_ = job;
    running_ = size_ - 1;
    generation_++;
    lock.unlock();
    wake_.notify_all();
    {
        std::optional<ThreadPin> pin;
        if (!crowded()) {
            pin.emplace(cores_[0]);
        }
        job_(0);
    }
    lock.lock();
    return waitForAll(lock, bound);
}

bool WorkerPool::waitForAll(std::unique_lock<std::mutex> &lock, std::chrono::nanoseconds bound) {
    return finished_.wait_for(lock, bound, [this] { return running_ == 0; });
}

void WorkerPool::threadMain(uint32_t worker) {
    std::optional<ThreadPin> pin;
    if (!crowded()) {
        pin.emplace(cores_[worker]);
    }
    uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
        if (stopping_) {
            return;
        }
        seen = generation_;
        lock.unlock();
        job_(worker);
        lock.lock();
        if (--running_ == 0) {
            finished_.notify_all();
        }
    }
}

} // namespace monokernel::cpu
