#include "engine/serial_engine.h"

#include "engine/request_check.h"
#include "engine/slots.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace monokernel {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Request {
    RequestId id;
    GenerateRequest ask;
    std::function<void(GeneratedToken)> onToken;
    std::function<void(const GenerateResult &)> onEnd;
    Clock::time_point arrival = Clock::now();
    std::atomic<bool> cancelled = false;
};

GenerateResult failedResult(GenerateFailure failure, std::string message) {
    GenerateResult result;
    result.error = GenerateError{failure, std::move(message)};
    return result;
}

GenerateResult cancelledResult() {
    GenerateResult result;
    result.sequence.stop = StopReason::cancelled;
    return result;
}

class SerialEngine final : public Engine {
public:
    SerialEngine(ModelSpec spec, std::unique_ptr<Executor> executor, std::string deviceReason,
                 PrecisionChoice precision)
        : spec_(std::move(spec)), executor_(std::move(executor)), deviceReason_(std::move(deviceReason)),
          precision_(std::move(precision)), slots_(executor_->slotCount()), thread_([this] { serve(); }) {}

    SerialEngine(const SerialEngine &) = delete;
    SerialEngine &operator=(const SerialEngine &) = delete;

    ~SerialEngine() override {
        {
            const std::lock_guard lock(mutex_);
            closing_ = true;
            if (running_) {
                running_->cancelled = true;
            }
        }
        wake_.notify_all();
        thread_.join();
    }

    const ModelSpec &spec() const override { return spec_; }
    std::string description() const override { return executor_->description(); }
    std::string deviceReason() const override { return deviceReason_; }
    bool int8() const override { return precision_.int8; }
    std::string precisionReason() const override { return precision_.reason; }
    uint32_t contextLength() const override { return executor_->contextLength(); }
    uint32_t gpuCount() const override { return executor_->gpuCount(); }
    bool speculates() const override { return executor_->speculates(); }

    RequestId generate(GenerateRequest ask, std::function<void(GeneratedToken)> onToken,
                       std::function<void(const GenerateResult &)> onEnd) override {
        const std::lock_guard lock(mutex_);
        const RequestId id = ++lastId_;
        waiting_.push_back(std::make_unique<Request>(id, std::move(ask), std::move(onToken), std::move(onEnd)));
        statistics_.requests++;
        wake_.notify_all();
        return id;
    }

    void cancel(RequestId id) override {
        const std::lock_guard lock(mutex_);
        if (running_ && running_->id == id) {
            running_->cancelled = true;
            return;
        }
        const auto found = std::ranges::find(waiting_, id, [](const auto &request) { return request->id; });
        if (found != waiting_.end()) {
            (*found)->cancelled = true;
            cancelledWhileWaiting_ = true;
        }
    }

    EngineStatistics statistics() const override {
        const std::lock_guard lock(mutex_);
        EngineStatistics statistics = statistics_;
        statistics.memoryBytes = executor_->memoryBytes();
        return statistics;
    }

private:
    void serve() {
        while (const std::unique_ptr<Request> request = next()) {
            const double queueSeconds = secondsSince(request->arrival);
            GenerateResult result = run(*request);
            result.queueSeconds = queueSeconds;
            {
                const std::lock_guard lock(mutex_);
                running_ = nullptr;
            }
            end(*request, result);
        }
        failWaiting();
    }

    /// Waits for the next request and marks it as running; null when the engine closes.
    std::unique_ptr<Request> next() {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
        if (closing_) {
            return nullptr;
        }
        std::unique_ptr<Request> request = std::move(waiting_.front());
        waiting_.pop_front();
        running_ = request.get();
        return request;
    }

    GenerateResult run(Request &request) {
        if (request.cancelled) {
            return cancelledResult();
        }
        if (auto problem = findRequestProblem(request.ask, spec_.vocabularySize, executor_->contextLength())) {
            return failedResult(GenerateFailure::requestInvalid, std::move(*problem));
        }
        try {
            return execute(request);
        } catch (const std::exception &error) {
            return failedResult(GenerateFailure::executionFailed, error.what());
        } catch (...) {
            return failedResult(GenerateFailure::executionFailed, "the executor failed without saying why");
        }
    }

    GenerateResult execute(Request &request) {
        const GenerateRequest &ask = request.ask;
        const SlotTable::Choice choice = slots_.choose(ask.tokens);
        // What the slot holds is unknown until the run has ended well; a throw leaves it empty.
        slots_.clear(choice.slot);
        std::vector<int32_t> sequence = ask.tokens;
        const auto sink = [&](GeneratedToken token) {
            sequence.push_back(token.token);
            request.onToken(token);
            endCancelledWaiting();
        };
        GenerateResult result;
        result.reused = choice.reused;
        result.sequence = executor_->run({.slot = choice.slot,
                                          .reused = choice.reused,
                                          .tokens = ask.tokens,
                                          .maxTokens = ask.maxTokens,
                                          .stopTokens = ask.stopTokens,
                                          .sampling = ask.sampling,
                                          .speculation = ask.speculation,
                                          .minProbability = ask.minProbability,
                                          .cancel = &request.cancelled},
                                         sink);
        sequence.resize(std::min<size_t>(sequence.size(), result.sequence.cached));
        slots_.store(choice.slot, std::move(sequence));
        return result;
    }

    void end(Request &request, const GenerateResult &result) {
        {
            const std::lock_guard lock(mutex_);
            count(result);
        }
        request.onEnd(result);
    }

    void count(const GenerateResult &result) {
        if (result.error) {
            statistics_.failed++;
            return;
        }
        const SequenceResult &sequence = result.sequence;
        statistics_.cancelled += sequence.stop == StopReason::cancelled ? 1 : 0;
        statistics_.prefilledTokens += sequence.prefilled;
        statistics_.reusedTokens += result.reused;
        statistics_.generatedTokens += sequence.generated;
        statistics_.draftedTokens += sequence.drafted;
        statistics_.acceptedTokens += sequence.accepted;
        statistics_.prefillSeconds += sequence.timeToFirstToken;
        statistics_.decodeSeconds += sequence.decodeSeconds;
    }

    /// Ends requests that were cancelled before their turn, so that their callers need not wait for the running one.
    void endCancelledWaiting() {
        if (!cancelledWhileWaiting_.exchange(false)) {
            return;
        }
        std::vector<std::unique_ptr<Request>> ended;
        {
            const std::lock_guard lock(mutex_);
            for (std::unique_ptr<Request> &request : waiting_) {
                if (request->cancelled) {
                    ended.push_back(std::move(request));
                }
            }
            std::erase(waiting_, nullptr);
        }
        for (const std::unique_ptr<Request> &request : ended) {
            endUnrun(*request, cancelledResult());
        }
    }

    void failWaiting() {
        std::deque<std::unique_ptr<Request>> unrun;
        {
            const std::lock_guard lock(mutex_);
            unrun.swap(waiting_);
        }
        for (const std::unique_ptr<Request> &request : unrun) {
            endUnrun(*request, request->cancelled ? cancelledResult()
                                                  : failedResult(GenerateFailure::engineClosed,
                                                                 "the engine was closed before the request's turn"));
        }
    }

    void endUnrun(Request &request, GenerateResult result) {
        result.queueSeconds = secondsSince(request.arrival);
        end(request, result);
    }

    const ModelSpec spec_;
    const std::unique_ptr<Executor> executor_;
    const std::string deviceReason_;
    const PrecisionChoice precision_;
    SlotTable slots_; ///< used by the engine's thread only

    mutable std::mutex mutex_; ///< guards what follows
    std::condition_variable wake_;
    std::deque<std::unique_ptr<Request>> waiting_;
    Request *running_ = nullptr;
    RequestId lastId_ = 0;
    bool closing_ = false;
    EngineStatistics statistics_;
    std::atomic<bool> cancelledWhileWaiting_ = false; ///< set under the mutex, read without it once a token

    std::thread thread_; ///< last: it uses everything above
};

} // namespace

const char *generateFailureName(GenerateFailure failure) {
    switch (failure) {
    case GenerateFailure::requestInvalid:
        return "requestInvalid";
    case GenerateFailure::executionFailed:
        return "executionFailed";
    case GenerateFailure::engineClosed:
        return "engineClosed";
    }
    return "executionFailed";
}

std::unique_ptr<Engine> makeSerialEngine(ModelSpec spec, std::unique_ptr<Executor> executor, std::string deviceReason,
                                         PrecisionChoice precision) {
    return std::make_unique<SerialEngine>(std::move(spec), std::move(executor), std::move(deviceReason),
                                          std::move(precision));
}

} // namespace monokernel
