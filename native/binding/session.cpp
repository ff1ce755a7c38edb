#include "binding/session.h"

#include "binding/errors.h"

#include <node_api.h>

#include <system_error>
#include <utility>

namespace monokernel::binding {
namespace {

/// Thrown through Engine::load when nobody waits for it any more.
struct LoadGivenUp {};

/// Loads on the calling thread and posts how it went.
void loadInto(Mailbox &mailbox, const std::filesystem::path &folder, const EngineOptions &options,
              const std::atomic<bool> &giveUp) {
    try {
        mailbox.post(Loaded{Engine::load(folder, options, [&](double fraction) {
            if (giveUp) {
                throw LoadGivenUp{};
            }
            mailbox.post(LoadProgress{fraction});
        })});
    } catch (const LoadGivenUp &) {
        return;
    } catch (...) {
        const CodedError error = currentError();
        mailbox.post(LoadFailed{error.code(), error.what()});
    }
}

/// An exception of a callback belongs to nobody's call: it becomes an uncaughtException instead of vanishing.
void reportUncaught(Napi::Env env) {
    if (env.IsExceptionPending()) {
        napi_value exception = nullptr;
        napi_get_and_clear_last_exception(env, &exception);
        napi_fatal_exception(env, exception);
    }
}

} // namespace

Session::Session(Napi::Env env) : env_(env), mailbox_([this] { wakeJs_.NonBlockingCall(); }), loading_(env) {}

Napi::Promise Session::load(Napi::Env env, std::filesystem::path folder, EngineOptions options,
                            Napi::Function onProgress, Wrap wrap) {
    auto session = std::make_shared<Session>(env);
    session->self_ = session;
    session->wrap_ = wrap;
    session->onProgress_ = Napi::Persistent(onProgress);
    session->wakeJs_ = WakeJs::New(env, "monokernel", 0, 1, session.get(), [](Napi::Env, void *, Session *finished) {
        const auto last = std::exchange(finished->self_, nullptr);
    });
    // Added after the thread-safe function, so it runs before that one's own clean-up.
    napi_add_env_cleanup_hook(env, tearDown, session.get());
    session->startLoading(std::move(folder), std::move(options));
    return session->loading_.Promise();
}

void Session::startLoading(std::filesystem::path folder, EngineOptions options) {
    try {
        worker_ = std::thread([this, folder = std::move(folder), options = std::move(options)] {
            loadInto(mailbox_, folder, options, giveUpLoading_);
        });
    } catch (const std::system_error &error) {
        mailbox_.post(LoadFailed{"internal", std::string("no thread to load on: ") + error.what()});
    }
}

uint32_t Session::generate(GenerateRequest request, const Napi::Object &owner, Napi::Function onTokens,
                           Napi::Function onEnd) {
    openEngine();
    const uint32_t id = ++lastRequest_;
    Callbacks callbacks{Napi::Persistent(owner), Napi::Persistent(onTokens), Napi::Persistent(onEnd)};
    // Both post only: JavaScript sees nothing of the request before this call has returned.
    callbacks.id = engine_->generate(
        std::move(request), [this, id](GeneratedToken token) { mailbox_.postToken(id, token); },
        [this, id](const GenerateResult &result) { mailbox_.post(Ended{id, result}); });
    requests_.emplace(id, std::move(callbacks));
    keepEventLoop(true);
    return id;
}

void Session::cancel(uint32_t request) {
    const auto found = requests_.find(request);
    if (engine_ && found != requests_.end()) {
        engine_->cancel(found->second.id);
    }
}

EngineStatistics Session::statistics() const { return openEngine().statistics(); }

const Engine &Session::openEngine() const {
    if (!engine_) {
        throw CodedError("disposed", "the engine was disposed of; load it again");
    }
    return *engine_;
}

Napi::Promise Session::dispose() {
    const auto deferred = Napi::Promise::Deferred::New(env_);
    if (closed_) {
        deferred.Resolve(env_.Undefined());
    } else {
        disposing_.push_back(deferred);
        close();
    }
    return deferred.Promise();
}

void Session::close() {
    if (!engine_) {
        return;
    }
    keepEventLoop(true);
    try {
        worker_ = std::thread([this, engine = std::move(engine_)]() mutable {
            engine.reset();
            mailbox_.post(Closed{});
        });
    } catch (const std::system_error &) {
        mailbox_.post(Closed{}); // the engine went with the function that the thread did not take
    }
}

void Session::callJs(Napi::Env env, Napi::Function, Session *session, void *) {
    if (env != nullptr) { // null while the environment goes down
        session->deliver();
    }
}

void Session::deliver() {
    for (Event &event : mailbox_.take()) {
        const Napi::HandleScope scope(env_);
        std::visit([this](auto &kind) { handle(kind); }, event);
        reportUncaught(env_);
    }
}

void Session::handle(LoadProgress &progress) { onProgress_.Call({Napi::Number::New(env_, progress.fraction)}); }

void Session::handle(Loaded &loaded) {
    worker_.join();
    engine_ = std::move(loaded.engine);
    facts_ = factsOf(*engine_);
    onProgress_.Reset();
    keepEventLoop(false);
    loading_.Resolve(wrap_(env_, self_));
}

void Session::handle(LoadFailed &failed) {
    loading_.Reject(makeError(env_, failed.code, failed.message).Value());
    release();
}

void Session::handle(Tokens &batch) {
    const auto found = requests_.find(batch.request);
    if (found != requests_.end()) {
        found->second.onTokens.Call({toJs(env_, batch.tokens), toJs(env_, batch.logprobs)});
    }
}

void Session::handle(Ended &ended) {
    auto request = requests_.extract(ended.request);
    if (request.empty()) {
        return;
    }
    if (requests_.empty() && engine_) {
        keepEventLoop(false);
    }
    const Napi::FunctionReference &onEnd = request.mapped().onEnd;
    if (const auto &error = ended.result.error) {
        onEnd.Call({makeError(env_, generateFailureName(error->failure), error->message).Value()});
    } else {
        onEnd.Call({env_.Null(), toJs(env_, ended.result)});
    }
}

void Session::handle(Closed &) {
    closed_ = true;
    for (const Napi::Promise::Deferred &deferred : std::exchange(disposing_, {})) {
        deferred.Resolve(env_.Undefined());
    }
    release();
}

/// An idle engine does not keep the process alive; work under way does.
void Session::keepEventLoop(bool keep) {
    if (keep) {
        wakeJs_.Ref(env_);
    } else {
        wakeJs_.Unref(env_);
    }
}

/// The orderly end: no thread uses the mailbox any more.
void Session::release() {
    if (worker_.joinable()) {
        worker_.join();
    }
    onProgress_.Reset();
    napi_remove_env_cleanup_hook(env_, tearDown, this);
    wakeJs_.Release();
}

/// The environment goes down first (process exit, worker terminated): stop every thread before its memory goes.
void Session::tearDown(void *data) {
    auto *session = static_cast<Session *>(data);
    session->giveUpLoading_ = true;
    if (session->worker_.joinable()) {
        session->worker_.join();
    }
    session->engine_.reset();
    session->mailbox_.take();
    session->requests_.clear();
    session->onProgress_.Reset();
    session->wakeJs_.Release();
}

} // namespace monokernel::binding
