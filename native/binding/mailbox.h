#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

namespace monokernel::binding {

struct LoadProgress {
    double fraction; ///< 0..1
};
struct Loaded {
    std::unique_ptr<Engine> engine;
};
struct LoadFailed {
    std::string code, message;
};
/// Tokens of one request, as many as were made since JavaScript last looked.
struct Tokens {
    uint32_t request;
    std::vector<int32_t> tokens;
    std::vector<float> logprobs;
};
struct Ended {
    uint32_t request;
    GenerateResult result;
};
struct Closed {};

using Event = std::variant<LoadProgress, Loaded, LoadFailed, Tokens, Ended, Closed>;

/// What the engine's threads have to tell JavaScript, in order. Any thread posts; `signal` is called once for all that
/// is posted until the JavaScript thread takes it, so a busy JavaScript thread gets larger batches, not more calls.
class Mailbox {
public:
    explicit Mailbox(std::function<void()> signal) : signal_(std::move(signal)) {}

    void post(Event event);
    /// Appends to the last event if that is a batch of the same request.
    void postToken(uint32_t request, GeneratedToken token);
    std::vector<Event> take();

private:
    void addAndSignal(const std::function<void(std::vector<Event> &)> &add);

    const std::function<void()> signal_;
    std::mutex mutex_;
    std::vector<Event> events_;
    bool signalled_ = false;
};

} // namespace monokernel::binding
