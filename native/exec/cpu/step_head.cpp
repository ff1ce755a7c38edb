// The head phase of a step: from the lanes' residual streams to logits and their summaries.

#include "exec/cpu/step_runner.h"

#include <cstring>

namespace monokernel::cpu {

bool StepRunner::head() {
    const uint32_t lastLayer = spec_.layerCount - 1;
    if (!mayGoOn() || !reduce(Block::ffn, lastLayer)) {
        return false;
    }
    if (sharesRows() && !handRowsOver(phaseOf(spec_.layerCount, PhaseKind::qkv))) {
        return false;
    }
    const PackedMatrix &matrix = r_.weights.head();
    const Range units = shareOf(matrix);
    const bool perLane = spec_.headType == HeadType::vocabularyParallel;
    if (!perLane && spec_.laneCount > 1) {
        if (!exchangeLanes()) {
            return false;
        }
        prepareHead();
    }
    uint32_t lane = spec_.laneCount;
    for (uint32_t unit = units.begin; unit < units.end; unit++) {
        if ((perLane || spec_.laneCount == 1) && unit / matrix.unitsPerLane != lane) {
            lane = unit / matrix.unitsPerLane;
            gatherLane(lane, true, normalized_.floats());
            prepareHead();
        }
        logits(unit);
    }
    return true;
}

/// The selected tokens' rows, which every worker makes for itself.
void StepRunner::prepareHead() {
    const PackedMatrix &matrix = r_.weights.head();
    operand_ = r_.kernels.prepare(matrix.format, matrix.depth, normalized_.floats(), hiddenWidth_, 0,
                                  static_cast<uint32_t>(step_.selected.size()), operandRows_.data());
}

/// The selected tokens' rows of a lane's stream, normalized or as they are.
void StepRunner::gatherLane(uint32_t lane, bool normalized, float *out) {
    const float *weights = laneNorm(r_.weights.finalNorm(), lane);
    for (const uint32_t token : step_.selected) {
        const float *x = residual(lane) + size_t{token} * hiddenWidth_;
        if (normalized) {
            r_.kernels.rmsNorm(x, weights, spec_.hiddenSize, spec_.normEpsilon, out);
        } else {
            std::memcpy(out, x, hiddenWidth_ * sizeof(float));
        }
        out += hiddenWidth_;
    }
}

/// Brings all lanes together as the input of a head that all lanes share: the mean of the normalized lanes, or the norm
/// of their sum. Each worker sums all lanes for itself.
bool StepRunner::exchangeLanes() {
    const uint32_t phase = phaseOf(spec_.layerCount, PhaseKind::qkv);
    const bool normFirst = !spec_.preNormLaneAggregation;
    const Range share = evenShare(group_.lanes.size(), worker_ - group_.workers.begin, group_.workers.size());
    for (uint32_t i = share.begin; i < share.end; i++) {
        const uint32_t lane = group_.lanes.begin + i;
        gatherLane(lane, normFirst, r_.activations.laneOutput(lane));
    }
    r_.progress.publish(worker_, tick(phase, Stage::lanes));
    if (!r_.progress.wait(worker_, 0, step_.workers, tick(phase, Stage::lanes), r_.plan.phases[phase].reads)) {
        return false;
    }
    terms_.clear();
    for (uint32_t lane = 0; lane < spec_.laneCount; lane++) {
        terms_.push_back(r_.activations.laneOutput(lane));
    }
    const auto count = static_cast<uint32_t>(step_.selected.size());
    const float scale = normFirst ? 1.0f / static_cast<float>(spec_.laneCount) : 1.0f;
    float *x = normalized_.floats();
    r_.kernels.sumTerms(x, terms_.data(), spec_.laneCount, scale, count * hiddenWidth_);
    for (uint32_t i = 0; !normFirst && i < count; i++, x += hiddenWidth_) {
        r_.kernels.rmsNorm(x, r_.weights.finalNorm().data(), spec_.hiddenSize, spec_.normEpsilon, x);
    }
    return true;
}

void StepRunner::logits(uint32_t unit) {
    const PackedMatrix &matrix = r_.weights.head();
    const Panel &panel = matrix.panels[unit];
    const auto lanes = static_cast<uint32_t>(matrix.panels.size()) / matrix.unitsPerLane;
    const uint32_t firstToken = unit / matrix.unitsPerLane * (spec_.vocabularySize / lanes) + panel.firstRow;
    const auto count = static_cast<uint32_t>(step_.selected.size());
    float *rows = headRows_.floats();
    multiply(matrix, panel, count, rows, panelRows);
    for (uint32_t i = 0; i < count; i++, rows += panelRows) {
        std::memcpy(r_.activations.logits.data() + size_t{i} * spec_.vocabularySize + firstToken, rows,
                    panel.rows * sizeof(float));
        r_.activations.summaries[i * matrix.panels.size() + unit] =
            r_.kernels.summarize(rows, panel.rows, firstToken, step_.sampling);
    }
}

} // namespace monokernel::cpu
