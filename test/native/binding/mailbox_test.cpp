#include "../check.h"
#include "binding/mailbox.h"

#include <atomic>
#include <chrono>
#include <thread>

using namespace monokernel;
using namespace monokernel::binding;

TEST(mailbox_joins_tokens_of_one_request_only) {
    Mailbox mailbox([] {});
    mailbox.postToken(1, {10, -0.5f});
    mailbox.postToken(1, {11, -0.25f});
    mailbox.postToken(2, {20, -1.0f});
    mailbox.post(Ended{2, {}});
    mailbox.postToken(2, {21, -1.0f});
    const std::vector<Event> events = mailbox.take();
    if (!CHECK(events.size() == 4)) {
        return;
    }
    const auto &first = std::get<Tokens>(events[0]);
    CHECK(first.request == 1 && first.tokens == std::vector<int32_t>({10, 11}));
    CHECK(first.logprobs == std::vector<float>({-0.5f, -0.25f}));
    CHECK(std::get<Tokens>(events[1]).request == 2);
    CHECK(std::get<Ended>(events[2]).request == 2);
    CHECK(std::get<Tokens>(events[3]).tokens == std::vector<int32_t>({21}));
}

TEST(mailbox_signals_once_until_it_is_taken) {
    int signals = 0;
    Mailbox mailbox([&] { signals++; });
    mailbox.post(LoadProgress{0.5});
    mailbox.postToken(1, {1, 0.0f});
    mailbox.post(Closed{});
    CHECK(signals == 1);
    CHECK(mailbox.take().size() == 3);
    CHECK(mailbox.take().empty());
    mailbox.post(Closed{});
    CHECK(signals == 2);
}

TEST(mailbox_loses_nothing_between_two_threads) {
    constexpr int32_t count = 20000;
    std::atomic<int> signals = 0;
    Mailbox mailbox([&] { signals++; });
    std::thread poster([&] {
        for (int32_t token = 0; token < count; token++) {
            mailbox.postToken(1, {token, 0.0f});
        }
        mailbox.post(Closed{});
    });
    std::vector<int32_t> tokens;
    int answered = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (bool closed = false; !closed && std::chrono::steady_clock::now() < deadline;) {
        if (signals == answered) {
            std::this_thread::yield();
            continue;
        }
        answered++;
        for (const Event &event : mailbox.take()) {
            if (const auto *batch = std::get_if<Tokens>(&event)) {
                tokens.insert(tokens.end(), batch->tokens.begin(), batch->tokens.end());
            } else {
                closed = std::holds_alternative<Closed>(event);
            }
        }
    }
    poster.join();
    bool inOrder = tokens.size() == static_cast<size_t>(count);
    for (int32_t index = 0; inOrder && index < count; index++) {
        inOrder = tokens[static_cast<size_t>(index)] == index;
    }
    CHECK(inOrder);
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
