#pragma once

#include "exec/cpu/worker_count.h"
#include "exec/executor.h"
#include "model/model.h"

#include <memory>
#include <string>
#include <vector>

namespace monokernel {

struct CpuOptions {
    uint32_t threads = 0; ///< at most; 0: the physical cores this process may use
    uint32_t slots = 4;
    uint32_t contextLength = 0; ///< 0: the model's limit
    std::string instructionSet; ///< empty: the best that this machine has
    bool int8 = false;          ///< weights, and the activations they meet, in bytes with a scale for 32
    bool draftAlways = false;   ///< for tests: speculation verifies all that it drafts, whether that pays or not
    /// How many of the threads a step uses; empty: as many as pay beside what else runs on the machine.
    std::shared_ptr<WorkerCountPolicy> workerCount{};
};

/// The instruction-set paths that this machine can run, best first: of "amx", "avx512bf16", "avx512vnni", "avx512",
/// "avxvnni", "avx2", "portable". Results have the same bits on all that have fused multiply-add, except that "amx" and
/// "avx512bf16" round the activations that meet bf16 weights, and what attention multiplies, and add up in orders of
/// their own.
std::vector<std::string> cpuInstructionSets();

/// Packs the weights (the model may be closed afterwards) and starts parked workers. `progress` gets 0..1. Throws
/// std::invalid_argument for an unknown or missing instruction set, ModelError(memory) when the memory cannot be had.
std::unique_ptr<Executor> makeCpuExecutor(const Model &model, const CpuOptions &options,
                                          const std::function<void(double)> &progress);

} // namespace monokernel
