#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace monokernel::cpu {

/// Drafts of a sequence's next tokens, taken from the sequence itself: what followed the last time that it went on as
/// it does now (prompt lookup decoding, Saxena 2023). Constant time and no allocation a token after start(), which
/// takes as long as the sequence, not as long as the longest one so far.
class PromptLookup {
public:
    struct Draft {
        std::span<const int32_t> tokens; ///< until the next call
        uint32_t matched = 0; ///< tokens before the draft that agree with those before its source, up to mostMatched
    };

    static constexpr uint32_t leastMatched = 2, mostMatched = 8;

    /// For drafts of up to `mostTokens`.
    explicit PromptLookup(uint32_t mostTokens);

    /// Forgets everything and begins with `prompt` a sequence of up to `length` tokens. A longer one is taken, but
    /// allocates and forgets more.
    void start(std::span<const int32_t> prompt, uint32_t length);
    void append(int32_t token);

    /// Up to `most` tokens that may follow, or none: those after the most recent place where the last 4 tokens stood
    /// before, else the last 3, else 2. A source that ends at the sequence's end goes on in its own draft.
    Draft draft(uint32_t most);

    /// Memory held.
    uint64_t bytes() const;

private:
    /// The lengths of n-grams that have an index, the longest first.
    static constexpr std::array<uint32_t, 3> gramLengths{4, 3, leastMatched};

    uint32_t &entry(size_t gram, size_t end);
    uint32_t agreement(size_t end) const;

    const uint32_t mostTokens_;
    size_t indexMask_ = 0; ///< places in each table, less 1
    std::vector<int32_t> tokens_;
    /// For each length a table by hash: the end of the last n-gram with that hash that something follows. Whoever looks
    /// it up compares the tokens; 0: none.
    std::array<std::vector<uint32_t>, gramLengths.size()> index_;
    std::vector<int32_t> draft_;
};

} // namespace monokernel::cpu
