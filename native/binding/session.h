#pragma once

#include "binding/mailbox.h"
#include "binding/results.h"
#include "engine/engine.h"

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

namespace monokernel::binding {

/// One engine's life as JavaScript sees it: loading, serving requests, closing. Everything but the mailbox is used on
/// the JavaScript thread only. Loading and closing run on a thread of their own, so that neither the event loop nor
/// libuv's pool waits for them.
class Session {
public:
    /// Makes the JavaScript object of a loaded session.
    using Wrap = Napi::Object (*)(Napi::Env, std::shared_ptr<Session>);

    /// Starts to load; the promise gives what `wrap` makes, or rejects with a coded error. `onProgress(fraction)`.
    static Napi::Promise load(Napi::Env env, std::filesystem::path folder, EngineOptions options,
                              Napi::Function onProgress, Wrap wrap);

    explicit Session(Napi::Env env);
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;
    ~Session() = default;

    /// Keeps `owner` alive until `onEnd(error | null, result?)` has been called. `onTokens(Int32Array, Float32Array)`.
    uint32_t generate(GenerateRequest request, const Napi::Object &owner, Napi::Function onTokens,
                      Napi::Function onEnd);
    void cancel(uint32_t request);
    EngineStatistics statistics() const;
    const Facts &facts() const { return facts_; }

    /// Ends all requests and frees the memory; the promise resolves when that is done.
    Napi::Promise dispose();
    /// The same without waiting; does nothing where it was done before.
    void close();

private:
    struct Callbacks {
        Napi::ObjectReference owner;
        Napi::FunctionReference onTokens, onEnd;
        RequestId id = 0;
    };

    static void callJs(Napi::Env env, Napi::Function, Session *session, void *);
    using WakeJs = Napi::TypedThreadSafeFunction<Session, void, callJs>;

    void startLoading(std::filesystem::path folder, EngineOptions options);
    const Engine &openEngine() const;
    void deliver();
    void handle(LoadProgress &progress);
    void handle(Loaded &loaded);
    void handle(LoadFailed &failed);
    void handle(Tokens &batch);
    void handle(Ended &ended);
    void handle(Closed &closed);
    void keepEventLoop(bool keep);
    void release();
    static void tearDown(void *data);

    const Napi::Env env_;
    std::shared_ptr<Session> self_; ///< held until wakeJs_ is finalized, whose calls use this object
    WakeJs wakeJs_;
    Mailbox mailbox_;
    std::thread worker_; ///< loads, later closes
    std::atomic<bool> giveUpLoading_ = false;

    Napi::Promise::Deferred loading_;
    Napi::FunctionReference onProgress_;
    Wrap wrap_ = nullptr;
    Facts facts_;
    std::unique_ptr<Engine> engine_;
    std::unordered_map<uint32_t, Callbacks> requests_;
    uint32_t lastRequest_ = 0;
    std::vector<Napi::Promise::Deferred> disposing_;
    bool closed_ = false;
};

} // namespace monokernel::binding
