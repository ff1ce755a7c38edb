#include "exec/cpu/prompt_lookup.h"

#include <algorithm>
#include <bit>

namespace monokernel::cpu {

namespace {

/// Places of a table for each n-gram: few share one.
constexpr size_t placesPerToken = 2;
constexpr size_t fewestPlaces = 64;

} // namespace

PromptLookup::PromptLookup(uint32_t mostTokens) : mostTokens_(mostTokens) { draft_.reserve(mostTokens); }

void PromptLookup::start(std::span<const int32_t> prompt, uint32_t length) {
    const size_t places = std::bit_ceil(std::max(placesPerToken * length, fewestPlaces));
    indexMask_ = places - 1;
    for (std::vector<uint32_t> &table : index_) {
        table.assign(places, 0);
    }
    tokens_.clear();
    tokens_.reserve(length);
    for (const int32_t token : prompt) {
        append(token);
    }
}

void PromptLookup::append(int32_t token) {
    const size_t end = tokens_.size(); // of the n-grams that `token` follows
    for (size_t gram = 0; gram < gramLengths.size(); gram++) {
        if (end >= gramLengths[gram]) {
            entry(gram, end) = static_cast<uint32_t>(end);
        }
    }
    tokens_.push_back(token);
}

/// The place in the table of the n-gram that ends before `end`.
uint32_t &PromptLookup::entry(size_t gram, size_t end) {
    uint64_t hash = 0;
    for (size_t i = end - gramLengths[gram]; i < end; i++) {
        hash = (hash ^ static_cast<uint32_t>(tokens_[i])) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return index_[gram][hash & indexMask_];
}

/// How many tokens before `end` are those before the sequence's end, up to mostMatched.
uint32_t PromptLookup::agreement(size_t end) const {
    const size_t size = tokens_.size();
    uint32_t count = 0;
    while (count < mostMatched && count < end && tokens_[end - 1 - count] == tokens_[size - 1 - count]) {
        count++;
    }
    return count;
}

PromptLookup::Draft PromptLookup::draft(uint32_t most) {
    draft_.clear();
    const size_t size = tokens_.size();
    for (size_t gram = 0; gram < gramLengths.size(); gram++) {
        if (size < gramLengths[gram]) {
            continue;
        }
        const size_t source = entry(gram, size);
        const uint32_t matched = source == 0 ? 0 : agreement(source);
        if (matched < gramLengths[gram]) { // Nothing, or another n-gram with the same hash.
            continue;
        }
        for (size_t i = source; draft_.size() < std::min(most, mostTokens_); i++) {
            draft_.push_back(i < size ? tokens_[i] : draft_[i - size]);
        }
        return {draft_, matched};
    }
    return {};
}

uint64_t PromptLookup::bytes() const {
    uint64_t entries = tokens_.capacity() + draft_.capacity();
    for (const std::vector<uint32_t> &table : index_) {
        entries += table.capacity();
    }
    return entries * sizeof(uint32_t);
}

} // namespace monokernel::cpu
