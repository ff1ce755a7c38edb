#pragma once

#include "engine/engine.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

/// A request under way, seen by the test: its tokens so far and its end, waited for with a bound.
class Recorded {
public:
    static std::shared_ptr<Recorded> start(monokernel::Engine &engine, monokernel::GenerateRequest request) {
        auto self = std::make_shared<Recorded>();
        self->id = engine.generate(
            std::move(request), [self](monokernel::GeneratedToken token) { self->addToken(token.token); },
            [self](const monokernel::GenerateResult &result) { self->addEnd(result); });
        return self;
    }

    monokernel::RequestId id = 0;

    monokernel::GenerateResult end() {
        std::unique_lock lock(mutex_);
        waitFor(lock, [this] { return ends_ > 0; });
        return result_;
    }
    void waitForTokens(size_t count) {
        std::unique_lock lock(mutex_);
        waitFor(lock, [&] { return tokens_.size() >= count; });
    }
    std::vector<int32_t> tokens() {
        const std::lock_guard lock(mutex_);
        return tokens_;
    }
    int ends() {
        const std::lock_guard lock(mutex_);
        return ends_;
    }

private:
    void addToken(int32_t token) {
        const std::lock_guard lock(mutex_);
        tokens_.push_back(token);
        changed_.notify_all();
    }
    void addEnd(const monokernel::GenerateResult &result) {
        const std::lock_guard lock(mutex_);
        result_ = result;
        ends_++;
        changed_.notify_all();
    }
    template <typename Condition> void waitFor(std::unique_lock<std::mutex> &lock, Condition condition) {
        if (!changed_.wait_for(lock, std::chrono::seconds(20), condition)) {
            throw std::runtime_error("nothing came within 20 s");
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<int32_t> tokens_;
    monokernel::GenerateResult result_;
    int ends_ = 0;
};

/// Holds the engine's thread at a step until the test lets it go on.
class Gate {
public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void pass() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, std::chrono::seconds(20), [this] { return open_; })) {
            throw std::runtime_error("the gate was never opened");
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
};
