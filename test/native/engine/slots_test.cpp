#include "../check.h"
#include "engine/slots.h"

#include <numeric>

using monokernel::SlotTable;

namespace {

/// first, first + 1, ..., `count` of them.
std::vector<int32_t> ramp(int32_t first, size_t count) {
    std::vector<int32_t> tokens(count);
    std::iota(tokens.begin(), tokens.end(), first);
    return tokens;
}

std::vector<int32_t> joined(std::vector<int32_t> front, const std::vector<int32_t> &back) {
    front.insert(front.end(), back.begin(), back.end());
    return front;
}

bool chooses(const SlotTable &slots, const std::vector<int32_t> &prompt, uint32_t slot, uint32_t reused) {
    const SlotTable::Choice choice = slots.choose(prompt);
    return CHECK_MESSAGE(choice.slot == slot && choice.reused == reused,
                         "chose slot " + std::to_string(choice.slot) + ", reused " + std::to_string(choice.reused));
}

} // namespace

TEST(slots_empty_table_reuses_nothing) {
    chooses(SlotTable(3), ramp(0, 10), 0, 0);
    chooses(SlotTable(1), ramp(0, 1), 0, 0);
}

TEST(slots_longest_common_prefix_wins) {
    SlotTable slots(3);
    slots.store(0, joined(ramp(0, 50), ramp(500, 50)));
    slots.store(1, joined(ramp(0, 80), ramp(600, 20)));
    slots.store(2, joined(ramp(0, 60), ramp(700, 40)));
    chooses(slots, ramp(0, 100), 1, 80);
}

TEST(slots_last_prompt_token_is_never_reused) {
    SlotTable slots(2);
    slots.store(1, ramp(0, 20));
    chooses(slots, ramp(0, 20), 1, 19);
    chooses(slots, ramp(0, 10), 1, 9);
    chooses(slots, ramp(0, 1), 0, 0);
}

TEST(slots_equal_prefixes_take_the_slot_that_loses_least) {
    SlotTable slots(2);
    slots.store(0, joined(ramp(0, 40), ramp(500, 100)));
    slots.store(1, joined(ramp(0, 40), ramp(600, 5)));
    chooses(slots, ramp(0, 60), 1, 40);
}

TEST(slots_short_prefix_leaves_warm_sequences_alone) {
    SlotTable slots(3);
    slots.store(0, joined(ramp(0, 5), ramp(500, 95)));
    slots.store(1, ramp(300, 100));
    chooses(slots, joined(ramp(0, 5), ramp(700, 95)), 2, 0);
}

TEST(slots_short_prefix_evicts_the_least_recently_used) {
    SlotTable slots(3);
    slots.store(0, ramp(300, 100));
    slots.store(1, joined(ramp(0, 5), ramp(500, 95)));
    slots.store(2, ramp(400, 100));
    slots.store(0, ramp(300, 100));
    slots.store(1, joined(ramp(0, 5), ramp(500, 95)));
    chooses(slots, joined(ramp(0, 5), ramp(700, 95)), 2, 0);
}

TEST(slots_evicted_slot_still_gives_its_common_prefix) {
    SlotTable slots(2);
    slots.store(0, joined(ramp(0, 3), ramp(500, 97)));
    slots.store(1, joined(ramp(0, 5), ramp(600, 95)));
    chooses(slots, joined(ramp(0, 5), ramp(700, 95)), 0, 3);
}

TEST(slots_short_sequence_is_extended_in_place) {
    SlotTable slots(2);
    slots.store(0, ramp(0, 5));
    chooses(slots, ramp(0, 100), 0, 5);
}

TEST(slots_cleared_slot_holds_nothing_and_is_taken_first) {
    SlotTable slots(2);
    slots.store(0, ramp(0, 50));
    slots.store(1, ramp(300, 50));
    slots.clear(1);
    chooses(slots, ramp(300, 50), 1, 0);
    slots.clear(0);
    chooses(slots, ramp(0, 50), 0, 0);
    slots.store(0, joined(ramp(0, 5), ramp(500, 95)));
    slots.store(1, ramp(300, 50));
    slots.clear(1);
    chooses(slots, joined(ramp(0, 5), ramp(700, 95)), 1, 0);
}
