#pragma once

#include "exec/cpu/placement.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

namespace monokernel::cpu {

/// How many units of a worker's share of a phase have been taken: by itself from the front (the low half), by others
/// from the back (the high half).
using ShareTaken = std::atomic<uint64_t>;

/// The shares of all phases of a step.
class TakenUnits {
public:
    TakenUnits(uint32_t phases, uint32_t workers)
        : workers_(workers), size_(size_t{phases} * workers), shares_(new ShareTaken[size_]) {
        reset();
    }

    /// Before a step; no worker may be running one.
    void reset() {
        for (size_t i = 0; i < size_; i++) {
            shares_[i].store(0, std::memory_order_relaxed);
        }
    }
    ShareTaken *of(uint32_t phase, uint32_t firstWorker) { return &shares_[size_t{phase} * workers_ + firstWorker]; }

private:
    const uint32_t workers_;
    const size_t size_;
    const std::unique_ptr<ShareTaken[]> shares_;
};

/// The units of a phase that one worker computes: its own share, in ascending order, as its weights lie in memory;
/// then, where `taken` counts, what is left of the shares of the others, so that one who has lost its core holds them
/// up for a unit only.
class UnitWalk {
public:
    explicit UnitWalk(Range own) : share_(own) {}
    /// Worker `member` of `members` that share `units`; `taken` is the first one's.
    UnitWalk(Range units, uint32_t member, uint32_t members, ShareTaken *taken)
        : units_(units), member_(member), members_(members), taken_(taken), share_(shareOf(member)) {}

    /// Nothing when no unit is left.
    std::optional<uint32_t> next() {
        if (taken_ != nullptr) {
            return nextShared();
        }
        return walked_ < share_.size() ? std::optional(share_.begin + walked_++) : std::nullopt;
    }

private:
    std::optional<uint32_t> nextShared() {
        while (passed_ < members_) {
            const bool own = passed_ == 0;
            ShareTaken &taken = taken_[(member_ + passed_) % members_];
            const uint64_t before = taken.fetch_add(own ? 1 : uint64_t{1} << 32, std::memory_order_relaxed);
            const auto front = static_cast<uint32_t>(before), back = static_cast<uint32_t>(before >> 32);
            if (front + back < share_.size()) {
                return own ? share_.begin + front : share_.end - 1 - back;
            }
            passed_++;
            share_ = shareOf((member_ + passed_) % members_);
        }
        return std::nullopt;
    }

    Range shareOf(uint32_t member) const {
        const Range share = evenShare(units_.size(), member, members_);
        return {units_.begin + share.begin, units_.begin + share.end};
    }

    Range units_;
    uint32_t member_ = 0, members_ = 1;
    ShareTaken *taken_ = nullptr;
    Range share_;         ///< that is being taken from
    uint32_t passed_ = 0; ///< shares with nothing left
    uint32_t walked_ = 0;
};

} // namespace monokernel::cpu
