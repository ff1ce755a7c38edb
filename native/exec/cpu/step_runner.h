#pragma once

#include "exec/cpu/activations.h"
#include "exec/cpu/kv_cache.h"
#include "exec/cpu/placement.h"
#include "exec/cpu/progress.h"
#include "exec/cpu/rope_table.h"
#include "exec/cpu/shared_rows.h"
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
    SharedRows &sharedRows;
    Progress &progress;
    TakenUnits &takenUnits;
    bool asksAhead; ///< MatrixProduct::asksAhead
};

/// One worker's part of a step, which may have other workers than the step before. On cache lines of its own, as all
/// workers write to theirs at once.
class alignas(128) StepRunner {
public:
    StepRunner(const StepResources &resources, uint32_t worker);

    /// Runs this worker's part of all phases. When it returns true in worker 0, all workers have finished the step and
    /// what they wrote is visible. False: the request is being left. `cancel` is looked at before every phase (null:
    /// never).
    bool run(const Step &step, const std::atomic<bool> *cancel);

private:
    using Block = Activations::Block;

    /// What a worker can have done of a phase: its rows of the input; its lanes' outputs, before the head; its units.
    enum class Stage : uint8_t { rows = 1, lanes, done };

    /// Rows of a step's tokens.
    struct Rows {
        const float *x;
        size_t stride;
    };

    bool mayGoOn();
    void publish(uint32_t phase);
    bool waitForGroup(uint32_t phase);
    bool waitForAll(uint32_t phase);
    bool waitForRoom(Block block, uint32_t layer);
    uint64_t tick(uint32_t phase, Stage stage) const;
    Range shareOf(const PackedMatrix &matrix) const;
    UnitWalk unitsOf(uint32_t phase, const PackedMatrix &matrix);
    UnitWalk sharedUnits(uint32_t phase, Range units);

    bool sharesRows() const;
    bool handRowsOver(uint32_t phase);
    void embed();
    bool reduce(Block block, uint32_t layer);
    void addLane(Block block, uint32_t layer, uint32_t lane, Range tokens);
    Rows normalize(const std::vector<float> &weights, uint32_t lane);
    const float *laneNorm(const std::vector<float> &weights, uint32_t lane) const;
    Operand prepare(const PackedMatrix &matrix, Rows input, uint32_t lane);

    bool queryKeyValue(uint32_t layer);
    bool attention(uint32_t layer);
    bool attentionOutput(uint32_t layer);
    bool gateUp(uint32_t layer);
    bool down(uint32_t layer);
    bool head();

    void gatherLane(uint32_t lane, bool normalized, float *out);
    void multiply(const PackedMatrix &matrix, const Panel &panel, uint32_t tokens, float *y, size_t yStride);
    template <class Input, class Use>
    bool forUnits(uint32_t phase, const PackedMatrix &matrix, const Input &input, const Use &use);
    template <class Input>
    bool multiplyLast(PhaseKind kind, Block block, uint32_t layer, const PackedMatrix &matrix, const Input &input);
    void rotate(uint32_t token, float *head, float scale);
    void finishHead(uint32_t layer, uint32_t unit);
    void attendShared(uint32_t layer);
    void attendWhole(uint32_t layer, Range kvHeads, Range tokens);
    void attendSplit(uint32_t layer);
    void mergeSplit(uint32_t layer);
    void finishRows(const float *states, uint32_t kvHead, Range tokens, float *laneAttention);
    bool splitsKeys() const;
    Range chunksSeen(uint32_t layer, Range tokens) const;
    AttentionChunk chunkOf(uint32_t layer, uint32_t kvHead, uint32_t chunk, Range tokens) const;
    void follow(AttentionChunk &part, uint32_t layer, uint32_t kvHead, uint32_t chunk) const;
    void initializeState(float *state, uint32_t rows) const;
    bool exchangeLanes();
    void prepareHead();
    void logits(uint32_t unit);

    /// A lane's stream: one token's is this worker's own.
    float *residual(uint32_t lane) {
        return tokens_ == 1 ? residual_.floats() + size_t{lane} * hiddenWidth_ : r_.sharedRows.stream(lane);
    }

    const StepResources r_;
    const ModelSpec &spec_;
    const uint32_t worker_;
    const uint32_t maxTokens_, hiddenWidth_, headWidth_, queriesPerKey_;
    Step step_;
    LaneGroup group_;
    uint32_t tokens_ = 0;
    Range rows_; ///< the tokens whose rows this worker makes
    const std::atomic<bool> *cancel_ = nullptr;
    RopeTable rope_;
    std::vector<const float *> terms_;
    PageMemory residual_;           ///< [lanes, hiddenWidth], of one token
    PageMemory normalized_;         ///< [maxTokens, hiddenWidth], one lane at a time; also the head's input
    PageMemory headRows_;           ///< [maxTokens, headWidth], or 64 rows of gate and up
    PageMemory state_;              ///< attention states of this worker's rows: at most all
    PageMemory merged_;             ///< [lanes, attentionWidth] of one token, after a split over chunks
    PageMemory expandedPanel_;      ///< the kernel's scratch
    PageMemory cacheRow_;           ///< a key or value in the cache's format
    PageMemory operandRows_;        ///< as SharedRows::operand(), of lanes that this worker has to itself
    std::vector<Operand> operands_; ///< [lanes], those that the group's workers prepared together
    Operand operand_{};             ///< what multiply() takes
};

} // namespace monokernel::cpu
