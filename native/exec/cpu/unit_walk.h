#pragma once

#include "plan/placement.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

namespace monokernel::cpu {

/// How many units of each phase have been taken, where workers take them one by one: one counter a phase and group.
class TakenUnits {
public:
    TakenUnits(uint32_t phases, uint32_t groups)
        : groups_(groups), size_(size_t{phases} * groups), counters_(new std::atomic<uint32_t>[size_]) {
        reset();
    }

    /// Before a step; no worker may be running one.
    void reset() {
        for (size_t i = 0; i < size_; i++) {
            counters_[i].store(0, std::memory_order_relaxed);
        }
    }
    std::atomic<uint32_t> &of(uint32_t phase, uint32_t group) { return counters_[size_t{phase} * groups_ + group]; }

private:
    const uint32_t groups_;
    const size_t size_;
    const std::unique_ptr<std::atomic<uint32_t>[]> counters_;
};

/// The units of a phase that one worker computes, in ascending order: a share of its own, or whatever is left of those
/// that it shares with others, so that one who has lost its core holds the others up for a unit only.
class UnitWalk {
public:
    explicit UnitWalk(Range own) : units_(own) {}
    UnitWalk(Range shared, std::atomic<uint32_t> &taken) : units_(shared), taken_(&taken) {}

    /// Nothing when no unit is left.
    std::optional<uint32_t> next() {
        const uint32_t index = taken_ == nullptr ? walked_++ : taken_->fetch_add(1, std::memory_order_relaxed);
        return index < units_.size() ? std::optional(units_.begin + index) : std::nullopt;
    }

private:
    Range units_;
    uint32_t walked_ = 0;
    std::atomic<uint32_t> *taken_ = nullptr;
};

} // namespace monokernel::cpu
