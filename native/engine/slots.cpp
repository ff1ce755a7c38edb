#include "engine/slots.h"

#include <algorithm>
#include <utility>

namespace monokernel {
namespace {

/// A shorter common prefix than prompt / this does not justify overwriting another warm sequence's tail.
constexpr size_t worthwhileShare = 4;

/// Tokens of the prompt that need not be run again: the last one always is, its logits give the first new token.
uint32_t commonPrefix(std::span<const int32_t> held, std::span<const int32_t> prompt) {
    const size_t limit = std::min(held.size(), prompt.size() - 1);
    const auto end =
        std::mismatch(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(limit), prompt.begin()).first;
    return static_cast<uint32_t>(end - held.begin());
}

} // namespace

SlotTable::SlotTable(uint32_t count) : slots_(count) {}

SlotTable::Choice SlotTable::choose(std::span<const int32_t> prompt) const {
    Choice longest{0, 0};
    size_t lost = 0; // tokens of the longest match's slot that would be overwritten
    Choice oldest{0, 0};
    for (uint32_t index = 0; index < slots_.size(); index++) {
        const std::vector<int32_t> &held = slots_[index].tokens;
        const Choice candidate{index, commonPrefix(held, prompt)};
        const size_t candidateLost = held.size() - candidate.reused;
        if (index == 0 || candidate.reused > longest.reused ||
            (candidate.reused == longest.reused && candidateLost < lost)) {
            longest = candidate;
            lost = candidateLost;
        }
        if (index == 0 || slots_[index].lastUse < slots_[oldest.slot].lastUse) {
            oldest = candidate;
        }
    }
    const bool worthwhile = lost == 0 || longest.reused * worthwhileShare >= prompt.size();
    return worthwhile ? longest : oldest;
}

void SlotTable::store(uint32_t slot, std::vector<int32_t> tokens) { slots_[slot] = {std::move(tokens), ++clock_}; }

void SlotTable::clear(uint32_t slot) { slots_[slot] = {}; }

} // namespace monokernel
