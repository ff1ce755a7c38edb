#pragma once

#include "exec/cpu/activations.h"
#include "exec/cpu/kv_cache.h"
#include "exec/cpu/placement.h"
#include "exec/cpu/progress.h"
#include "exec/cpu/rope_table.h"
#include "exec/cpu/unit_walk.h"
#include "exec/cpu/weights.h"
#include "plan/plan.h"

#include <atomic>
#include <span>
#include <vector>

namespace monokernel::cpu {

constexpr uint32_t phasesPerLayer = 5;

/// Index of a layer's phase in the plan, which starts with `embed` and ends with `head`, `sample`.
constexpr uint32_t phaseOf(uint32_t layer, PhaseKind kind) {
    return 1 + layer * phasesPerLayer + static_cast<uint32_t>(kind) - static_cast<uint32_t>(PhaseKind::qkv);
}

/// One pass over the plan: tokens[i] at position first + i of a slot.
struct Step {
    uint64_t index = 0;   ///< number of the step within its request
    uint32_t workers = 1; ///< workers [0, workers) take part
    uint32_t slot = 0;
    uint32_t first = 0;
    std::span<const int32_t> tokens;
    std::span<const uint32_t> selected; ///< the tokens (indices, ascending) whose logits are wanted
    SamplingKey sampling{};             ///< for the logits' summaries
};

/// What all workers of an executor share.
struct StepResources {
    const Plan &plan;
    const Weights &weights;
    const Kernels &kernels;
    KvCache &cache;
    Activations &activations;
    Progress &progress;
    TakenUnits &takenUnits;
    bool asksAhead; ///< MatrixProduct::asksAhead
};

/// One worker's part of a step, which may have other workers than the step before. A worker keeps the residual streams
/// of its group's lanes for itself and repeats their sums and norms, which is cheaper than a further hand-off.
class StepRunner {
public:
    StepRunner(const StepResources &resources, uint32_t worker);

    /// Runs this worker's part of all phases. When it returns true in worker 0, all workers have finished the step and
    /// what they wrote is visible. False: the request is being left. `cancel` is looked at before every phase (null:
    /// never).
    bool run(const Step &step, const std::atomic<bool> *cancel);

private:
    using Block = Activations::Block;

    bool mayGoOn();
    void publish(uint32_t phase);
    bool waitForGroup(uint32_t phase);
    bool waitForAll(uint32_t phase);
    bool waitForRoom(Block block, uint32_t layer);
    uint64_t tick(uint32_t phase) const;
    Range shareOf(const PackedMatrix &matrix) const;
    UnitWalk unitsOf(uint32_t phase, const PackedMatrix &matrix);
    UnitWalk walk(uint32_t phase, Range shared, Range own);

    void embed();
    bool queryKeyValue(uint32_t layer);
    bool attention(uint32_t layer);
    bool attentionOutput(uint32_t layer);
    bool gateUp(uint32_t layer);
    bool down(uint32_t layer);
    bool head();

    bool reduce(Block block, uint32_t layer);
    void addLane(Block block, uint32_t layer, uint32_t lane);
    void normalize(const std::vector<float> &weights, uint32_t lane);
    const float *laneNorm(const std::vector<float> &weights, uint32_t lane) const;
    void gatherLane(uint32_t lane, bool normalized, float *out);
    void prepare(const PackedMatrix &matrix, const float *x, size_t xStride, uint32_t tokens);
    void multiply(const PackedMatrix &matrix, const Panel &panel, float *y, size_t yStride);
    template <class Input>
    bool multiplyUnits(PhaseKind kind, Block block, uint32_t layer, const PackedMatrix &matrix, size_t width,
                       const Input &input);
    void finishHead(uint32_t layer, uint32_t unit);
    void attendShared(uint32_t layer);
    void attendWhole(uint32_t layer, Range kvHeads, Range tokens);
    void attendSplit(uint32_t layer);
    void mergeSplit(uint32_t layer);
    void finishRows(const float *states, uint32_t kvHead, Range tokens, float *laneAttention);
    bool splitsKeys() const;
    uint32_t deepest() const;
    Range chunksSeen(uint32_t layer, Range tokens) const;
    AttentionChunk chunkOf(uint32_t layer, uint32_t kvHead, uint32_t chunk, Range tokens) const;
    void initializeState(float *state, uint32_t rows) const;
    bool exchangeLanes();
    void prepareHead();
    void logits(uint32_t unit);

    float *residual(uint32_t lane) {
        return residual_.floats() + size_t{lane - group_.lanes.begin} * maxTokens_ * hiddenWidth_;
    }

    const StepResources r_;
    const ModelSpec &spec_;
    const uint32_t worker_;
    const uint32_t maxTokens_, hiddenWidth_, headWidth_, queriesPerKey_;
    Step step_;
    LaneGroup group_;
    uint32_t tokens_ = 0;
    const std::atomic<bool> *cancel_ = nullptr;
    RopeTable rope_;
    std::vector<const float *> terms_;
    PageMemory residual_;      ///< [lanes, maxTokens, hiddenWidth], the group's first
    PageMemory normalized_;    ///< [maxTokens, hiddenWidth], one lane at a time; also the head's input
    PageMemory headRows_;      ///< [maxTokens, headWidth], or 64 rows of gate and up
    PageMemory state_;         ///< attention states of this worker's rows: at most all
    PageMemory merged_;        ///< [lanes, attentionWidth] of one token, after a split over chunks
    PageMemory expandedPanel_; ///< the kernel's scratch
    PageMemory cacheRow_;      ///< a key or value in the cache's format
    PageMemory operandRows_;   ///< [maxTokens, operandStride] bytes
    Operand operand_{};        ///< what multiply() takes, as prepare() left it
    uint32_t operandTokens_ = 0;
};

} // namespace monokernel::cpu
