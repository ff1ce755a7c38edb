#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace monokernel {

/// What each KV slot holds, and which slot a prompt should go to.
class SlotTable {
public:
    explicit SlotTable(uint32_t count);

    struct Choice {
        uint32_t slot;
        uint32_t reused; ///< leading prompt tokens that the slot already holds; less than the prompt's length
    };

    /// The slot with the longest common prefix. Where that is less than a quarter of the prompt and would overwrite
    /// something, an empty or the least recently used slot instead, so that other warm prefixes survive.
    /// `prompt` must not be empty.
    Choice choose(std::span<const int32_t> prompt) const;

    /// The slot now holds the keys and values of exactly these tokens, and is the most recently used.
    void store(uint32_t slot, std::vector<int32_t> tokens);
    void clear(uint32_t slot);

private:
    struct Slot {
        std::vector<int32_t> tokens;
        uint64_t lastUse = 0; ///< 0: never, or cleared
    };

    std::vector<Slot> slots_;
    uint64_t clock_ = 0;
};

} // namespace monokernel
