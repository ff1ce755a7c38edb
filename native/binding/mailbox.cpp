#include "binding/mailbox.h"

#include <utility>

namespace monokernel::binding {

void Mailbox::post(Event event) {
    addAndSignal([&](std::vector<Event> &events) { events.push_back(std::move(event)); });
}

void Mailbox::postToken(uint32_t request, GeneratedToken token) {
    addAndSignal([&](std::vector<Event> &events) {
        Tokens *batch = events.empty() ? nullptr : std::get_if<Tokens>(&events.back());
        if (!batch || batch->request != request) {
            batch = &std::get<Tokens>(events.emplace_back(Tokens{.request = request, .tokens = {}, .logprobs = {}}));
        }
        batch->tokens.push_back(token.token);
        batch->logprobs.push_back(token.logprob);
    });
}

std::vector<Event> Mailbox::take() {
    const std::lock_guard lock(mutex_);
    signalled_ = false;
    return std::exchange(events_, {});
}

void Mailbox::addAndSignal(const std::function<void(std::vector<Event> &)> &add) {
    {
        const std::lock_guard lock(mutex_);
        add(events_);
        if (std::exchange(signalled_, true)) {
            return;
        }
    }
    signal_();
}

} // namespace monokernel::binding
