// A step's rows on their way to a product: embedded, summed, normalized and in the form that kernels take. With many
// tokens the workers of a group make some of them each, and hand them over before the product; with one token every
// worker makes it for itself, which is cheaper than a further hand-off.

#include "exec/cpu/step_runner.h"

#include <cmath>
#include <cstring>

namespace monokernel::cpu {

bool StepRunner::sharesRows() const { return tokens_ > 1 && group_.workers.size() > 1; }

bool StepRunner::handRowsOver(uint32_t phase) {
    r_.progress.publish(worker_, tick(phase, Stage::rows));
    return r_.progress.wait(worker_, group_.workers.begin, group_.workers.end, tick(phase, Stage::rows),
                            r_.plan.phases[phase].writes);
}

void StepRunner::embed() {
    for (uint32_t t = rows_.begin; t < rows_.end; t++) {
        float *first = residual(group_.lanes.begin) + size_t{t} * hiddenWidth_;
        r_.weights.embedding(step_.tokens[t], first);
        for (uint32_t lane = group_.lanes.begin + 1; lane < group_.lanes.end; lane++) {
            std::memcpy(residual(lane) + size_t{t} * hiddenWidth_, first, hiddenWidth_ * sizeof(float));
        }
    }
    rope_.fill(step_.first, tokens_);
}

/// Adds a layer's block to the residual streams of the group's lanes.
bool StepRunner::reduce(Block block, uint32_t layer) {
    const PhaseKind kind = block == Block::attention ? PhaseKind::attentionOutput : PhaseKind::down;
    if (!waitForGroup(phaseOf(layer, kind))) {
        return false;
    }
    const LaneReduction reduction = spec_.reduction(layer);
    const uint32_t delay = reduction == LaneReduction::present ? 0 : spec_.broadcastDelay;
    if (reduction != LaneReduction::scaledOwn && !waitForAll(phaseOf(layer - delay, kind))) {
        return false;
    }
    // Lanes add mostly the same rows, so a token's are added to all lanes while they are in the L1.
    const uint32_t atOnce = group_.lanes.size() == 1 ? rows_.size() : 1;
    for (uint32_t first = rows_.begin; first < rows_.end; first += atOnce) {
        for (uint32_t lane = group_.lanes.begin; lane < group_.lanes.end; lane++) {
            addLane(block, layer, lane, {first, first + atOnce});
        }
    }
    return true;
}

/// What is summed into a lane's stream is a list of rows; the order is the lanes', whoever computed them.
void StepRunner::addLane(Block block, uint32_t layer, uint32_t lane, Range tokens) {
    const LaneReduction reduction = spec_.reduction(layer);
    const float scale = reduction == LaneReduction::scaledOwn ? std::sqrt(static_cast<float>(spec_.laneCount)) : 1.0f;
    const size_t first = size_t{tokens.begin} * hiddenWidth_;
    terms_.clear();
    if (reduction != LaneReduction::present) {
        terms_.push_back(r_.activations.partial(block, layer, lane) + first);
    }
    for (uint32_t other = 0; other < spec_.laneCount && reduction != LaneReduction::scaledOwn; other++) {
        if (reduction == LaneReduction::present) {
            terms_.push_back(r_.activations.partial(block, layer, other) + first);
        } else if (other != lane) {
            terms_.push_back(r_.activations.partial(block, layer - spec_.broadcastDelay, other) + first);
        }
    }
    // Rows of successive tokens follow each other without a gap.
    r_.kernels.addTerms(residual(lane) + first, terms_.data(), static_cast<uint32_t>(terms_.size()), scale,
                        tokens.size() * hiddenWidth_);
}

/// This worker's rows of a lane's stream.
StepRunner::Rows StepRunner::normalize(const std::vector<float> &weights, uint32_t lane) {
    float *normalized = sharesRows() ? r_.sharedRows.normalized(lane) : normalized_.floats();
    for (uint32_t t = rows_.begin; t < rows_.end; t++) {
        const size_t row = size_t{t} * hiddenWidth_;
        r_.kernels.rmsNorm(residual(lane) + row, laneNorm(weights, lane), spec_.hiddenSize, spec_.normEpsilon,
                           normalized + row);
    }
    return {normalized, hiddenWidth_};
}

const float *StepRunner::laneNorm(const std::vector<float> &weights, uint32_t lane) const {
    return weights.data() + (weights.size() > hiddenWidth_ ? size_t{lane} * hiddenWidth_ : 0);
}

/// This worker's rows of a lane's input, in the form that multiply() takes for `matrix`.
Operand StepRunner::prepare(const PackedMatrix &matrix, Rows input, uint32_t lane) {
    return r_.kernels.prepare(matrix.format, matrix.depth, input.x, input.stride, rows_.begin, rows_.end,
                              sharesRows() ? r_.sharedRows.operand(lane) : operandRows_.data());
}

} // namespace monokernel::cpu
