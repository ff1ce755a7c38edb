// Drafts from earlier occurrences: which one is taken, and that it costs no allocation.

#include "check.h"
#include "exec/cpu/prompt_lookup.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>

using monokernel::cpu::PromptLookup;
using Tokens = std::vector<int32_t>;

namespace {

uint64_t allocations = 0;

} // namespace

void *operator new(size_t size) {
    allocations++;
    if (void *memory = std::malloc(size)) {
        return memory;
    }
    throw std::bad_alloc();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }

namespace {

Tokens draftOf(PromptLookup &lookup, uint32_t most) {
    const auto tokens = lookup.draft(most).tokens;
    return {tokens.begin(), tokens.end()};
}

Tokens draftAfter(const Tokens &text, uint32_t most) {
    PromptLookup lookup(8);
    lookup.start(text, 256);
    return draftOf(lookup, most);
}

/// What the header promises, by a search through everything.
PromptLookup::Draft searched(const Tokens &text, uint32_t most, Tokens &out) {
    const size_t size = text.size();
    out.clear();
    for (const size_t length : {4u, 3u, 2u}) {
        for (size_t end = size < 1 ? 0 : size - 1; end >= length; end--) {
            if (!std::equal(text.begin() + static_cast<ptrdiff_t>(end - length),
                            text.begin() + static_cast<ptrdiff_t>(end), text.end() - static_cast<ptrdiff_t>(length))) {
                continue;
            }
            Tokens whole = text;
            for (size_t i = end; out.size() < most; i++) {
                out.push_back(whole[i]);
                whole.push_back(whole[i]);
            }
            uint32_t matched = 0;
            while (matched < 8 && matched < end && text[end - 1 - matched] == text[size - 1 - matched]) {
                matched++;
            }
            return {out, matched};
        }
    }
    return {};
}

} // namespace

TEST(draftIsWhatFollowedTheLastTime) {
    CHECK(draftAfter({1, 2, 10, 1, 2, 20, 30, 40, 1, 2}, 3) == Tokens({20, 30, 40}));
    CHECK(draftAfter({1, 2, 3, 4, 5}, 4).empty());
    CHECK(draftAfter({1, 2, 1}, 4).empty()); // one token is not enough
    CHECK(draftAfter({}, 4).empty());
    CHECK(draftAfter({7}, 4).empty());
    CHECK(draftAfter({1, 2, 10, 1, 2}, 0).empty());
}

TEST(longerAgreementGoesBeforeNewerText) {
    const Tokens text{9, 1, 2, 3, 10, 11, 5, 2, 3, 20, 21, 9, 1, 2, 3};
    CHECK(draftAfter(text, 2) == Tokens({10, 11}));
    PromptLookup lookup(8);
    lookup.start(text, 256);
    CHECK(lookup.draft(2).matched == 4);
}

TEST(aPeriodGoesOnInItsOwnDraft) {
    CHECK(draftAfter({4, 5, 6, 4, 5, 6, 4, 5}, 7) == Tokens({6, 4, 5, 6, 4, 5, 6}));
    CHECK(draftAfter({4, 8, 8, 8}, 4) == Tokens({8, 8, 8, 8}));
}

TEST(startForgets) {
    PromptLookup lookup(8);
    for (const uint32_t length : {256u, 16u, 5000u}) { // shorter and longer than the last one
        lookup.start(Tokens{1, 2, 3, 4}, length);
        lookup.start(Tokens{9, 1, 2}, length);
        CHECK(draftOf(lookup, 4).empty());
        for (const int32_t token : {5, 1, 2}) {
            lookup.append(token);
        }
        CHECK(draftOf(lookup, 1) == Tokens({5}));
    }
}

TEST(sameAsASearchThroughEverything) {
    uint32_t same = 0, all = 0;
    PromptLookup lookup(6);
    for (uint32_t seed = 0; seed < 60; seed++) {
        std::mt19937 random(seed);
        const uint32_t alphabet = 2 + random() % 12;
        Tokens text, expected;
        lookup.start(text, 1u << 16);
        for (uint32_t i = 0; i < 200; i++) {
            text.push_back(static_cast<int32_t>(random() % alphabet));
            lookup.append(text.back());
            const PromptLookup::Draft wanted = searched(text, 6, expected), found = lookup.draft(6);
            same += std::ranges::equal(found.tokens, wanted.tokens) && found.matched == wanted.matched ? 1 : 0;
            all++;
        }
    }
    // An n-gram that shares its place in the table with a later one is forgotten, which is rare in a large table.
    CHECK_MESSAGE(same >= all - all / 500, std::to_string(all - same) + " of " + std::to_string(all) + " differ");
}

TEST(ngramsWithTheSameHashAreTold) {
    std::mt19937 random(1);
    PromptLookup lookup(4);
    Tokens text;
    lookup.start(text, 32); // 64 places for 4,000 n-grams
    uint32_t drafts = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        text.push_back(static_cast<int32_t>(random() % 40));
        lookup.append(text.back());
        const PromptLookup::Draft draft = lookup.draft(4);
        drafts += draft.tokens.empty() ? 0 : 1;
        CHECK(draft.tokens.empty() || draft.matched >= PromptLookup::leastMatched);
    }
    CHECK(drafts > 20);
}

TEST(memoryIsThatOfTheLongestSequence) {
    PromptLookup lookup(5);
    lookup.start({}, 1000);
    const uint64_t held = lookup.bytes();
    CHECK(held >= 1000 * 4 * sizeof(uint32_t) && held < 10000 * sizeof(uint32_t));
    lookup.start({}, 100);
    CHECK(lookup.bytes() == held);
    lookup.start({}, 8000);
    CHECK(lookup.bytes() > 6 * held);
}

TEST(nothingIsAllocatedAfterStart) {
    std::mt19937 random(2);
    Tokens prompt(500);
    for (int32_t &token : prompt) {
        token = static_cast<int32_t>(random() % 9);
    }
    PromptLookup lookup(5);
    lookup.start(prompt, 1000);
    const uint64_t before = allocations;
    for (uint32_t i = 0; i < 500; i++) {
        lookup.append(static_cast<int32_t>(random() % 9));
        lookup.draft(5);
    }
    const uint64_t after = allocations; // CHECK allocates.
    CHECK(after == before);
}
