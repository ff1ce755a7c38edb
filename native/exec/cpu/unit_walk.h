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
    explicit UnitWalk(Range own) : units_(own) {}
    /// Worker `member` of `members` that share `units`; `taken` is the first one's.
    UnitWalk(Range units, uint32_t member, uint32_t members, ShareTaken *taken)
        : units_(units), member_(member), members_(members), taken_(taken) {}

    /// Nothing when no unit is left.
    std::optional<uint32_t> next() {
        for (; passed_ < members_; passed_++) {
            if (const std::optional<uint32_t> unit = take((member_ + passed_) % members_)) {
                return unit;
            }
        }
        return std::nullopt;
    }

private:
    std::optional<uint32_t> take(uint32_t member) {
        const Range share = evenShare(units_.size(), member, members_);
        const bool own = passed_ == 0;
        const uint64_t before = count(member, own ? 1 : uint64_t{1} << 32);
        const auto front = static_cast<uint32_t>(before), back = static_cast<uint32_t>(before >> 32);
        if (front + back >= share.size()) {
            return std::nullopt;
        }
        return units_.begin + (own ? share.begin + front : share.end - 1 - back);
    }

    uint64_t count(uint32_t member, uint64_t one) {
        return taken_ == nullptr ? walked_++ : taken_[member].fetch_add(one, std::memory_order_relaxed);
    }

    Range units_;
    uint32_t member_ = 0, members_ = 1;
    uint32_t passed_ = 0; ///< shares with nothing left
    uint64_t walked_ = 0;
    ShareTaken *taken_ = nullptr;
};

} // namespace monokernel::cpu
