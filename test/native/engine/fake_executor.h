#pragma once

#include "exec/executor.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// An executor without a model: the next token is a hash of all tokens before it, so that a wrong prefix gives wrong
/// tokens. Its slots hold real contents; a job that claims to reuse what a slot does not hold is counted.
class FakeExecutor final : public monokernel::Executor {
public:
    static constexpr int32_t vocabularySize = 1000;

    FakeExecutor(uint32_t slots, uint32_t contextLength) : slots_(slots), contextLength_(contextLength) {}

    /// Called before each step with the number of generated tokens so far; may sleep, wait or throw.
    std::function<void(uint32_t)> beforeStep;
    std::atomic<uint32_t> runs = 0, steps = 0, falseReuses = 0;

    std::string description() const override { return "fake"; }
    uint32_t slotCount() const override { return static_cast<uint32_t>(slots_.size()); }
    uint32_t contextLength() const override { return contextLength_; }
    uint64_t memoryBytes() const override { return 4096; }

    monokernel::SequenceResult run(const monokernel::SequenceJob &job,
                                   const std::function<void(monokernel::GeneratedToken)> &sink) override;
    std::vector<float> logits(uint32_t, std::span<const int32_t>, std::span<const uint32_t>, uint32_t) override {
        return {};
    }

private:
    std::vector<std::vector<int32_t>> slots_;
    uint32_t contextLength_;
};

/// What a fresh run of the fake generates after `prompt`.
std::vector<int32_t> fakeContinuation(std::vector<int32_t> prompt, uint32_t count);
