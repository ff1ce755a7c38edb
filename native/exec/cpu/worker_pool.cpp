#include "exec/cpu/worker_pool.h"

#include <utility>

namespace monokernel::cpu {

WorkerPool::WorkerPool(uint32_t workers, std::vector<uint32_t> cores)
    : cores_(std::move(cores)), size_(workers == 0 ? static_cast<uint32_t>(cores_.size()) : workers) {
    for (uint32_t worker = 1; worker < size_; worker++) {
        seats_.push_back(std::make_unique<Seat>());
    }
    try {
        for (uint32_t worker = 1; worker < size_; worker++) {
            seats_[worker - 1]->thread = std::thread([this, worker] { threadMain(worker); });
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
    for (const auto &seat : seats_) {
        seat->wake.notify_one();
        if (seat->thread.joinable()) {
            seat->thread.join();
        }
    }
}

bool WorkerPool::waitUntilIdle(std::chrono::nanoseconds bound) {
    std::unique_lock lock(mutex_);
    return waitForAll(lock, bound);
}

bool WorkerPool::run(const Job &job, std::chrono::nanoseconds bound) {
    const auto everybody = [&] {
        pinCaller(true);
        for (uint32_t worker = 1; worker < size_; worker++) {
            call(worker);
        }
        job(0);
        pinCaller(false);
    };
    return lead(job, everybody, bound);
}

bool WorkerPool::lead(const Job &job, const std::function<void()> &body, std::chrono::nanoseconds bound) {
    std::unique_lock lock(mutex_);
    if (!waitForAll(lock, bound)) {
        return false;
    }
    job_ = job;
    lock.unlock();
    body();
    lock.lock();
    return waitForAll(lock, bound);
}

void WorkerPool::pinCaller(bool pinned) {
    if (!pinned) {
        callerPin_.reset();
    } else if (!callerPin_ && !crowded()) {
        callerPin_.emplace(cores_[0]);
    }
}

bool WorkerPool::call(uint32_t worker) {
    Seat &seat = *seats_[worker - 1];
    {
        const std::lock_guard lock(mutex_);
        if (seat.called) {
            return false;
        }
        seat.called = true;
        running_++;
    }
    seat.wake.notify_one();
    return true;
}

bool WorkerPool::waitForAll(std::unique_lock<std::mutex> &lock, std::chrono::nanoseconds bound) {
    return finished_.wait_for(lock, bound, [this] { return running_ == 0; });
}

void WorkerPool::threadMain(uint32_t worker) {
    std::optional<ThreadPin> pin;
    if (!crowded()) {
        pin.emplace(cores_[worker]);
    }
    Seat &seat = *seats_[worker - 1];
    std::unique_lock lock(mutex_);
    while (true) {
        seat.wake.wait(lock, [&] { return stopping_ || seat.called; });
        if (!seat.called) {
            return;
        }
        lock.unlock();
        job_(worker);
        lock.lock();
        seat.called = false;
        if (--running_ == 0) {
            finished_.notify_all();
        }
    }
}

} // namespace monokernel::cpu
