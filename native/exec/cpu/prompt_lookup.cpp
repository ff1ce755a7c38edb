#include "exec/cpu/prompt_lookup.h"

#include <algorithm>
#include <bit>

namespace monokernel::cpu {

PromptLookup::PromptLookup(uint32_t length, uint32_t mostTokens)
    : mostTokens_(mostTokens), indexMask_(std::bit_ceil(2 * std::max(length, 32u)) - 1) {
    tokens_.reserve(size_t{length} + 1); // The last token needs no place in the context.
    draft_.reserve(mostTokens);
    for (std::vector<uint32_t> &table : index_) {
        table.resize(size_t{indexMask_} + 1);
    }
}

void PromptLookup::start(std::span<const int32_t> prompt) {
    tokens_.clear();
    for (std::vector<uint32_t> &table : index_) {
        std::fill(table.begin(), table.end(), 0);
    }
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

} // namespace monokernel::cpu
