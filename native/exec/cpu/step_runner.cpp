#include "exec/cpu/step_runner.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace monokernel::cpu {

namespace {

PageMemory floats(size_t count) { return {count * sizeof(float), PageMemory::Pages::ordinary}; }

} // namespace

StepRunner::StepRunner(const StepResources &resources, uint32_t worker)
    : r_(resources), spec_(resources.weights.spec()), worker_(worker), maxTokens_(resources.activations.maxTokens()),
      hiddenWidth_(resources.activations.hiddenWidth()), headWidth_(resources.activations.headWidth()),
      queriesPerKey_(spec_.headCount / spec_.kvHeadCount), rope_(spec_, maxTokens_),
      residual_(floats(size_t{spec_.laneCount} * maxTokens_ * hiddenWidth_)),
      normalized_(floats(size_t{maxTokens_} * hiddenWidth_)),
      headRows_(floats(size_t{maxTokens_} * std::max(headWidth_, panelRows))),
      state_(floats(size_t{maxTokens_} * spec_.headCount * attentionStateWidth(headWidth_))),
      merged_(floats(size_t{spec_.laneCount} * resources.activations.attentionWidth())),
      expandedPanel_(floats(size_t{panelRows} * expandedDepth)), cacheRow_(floats(headWidth_)),
      operandRows_(size_t{maxTokens_} * operandStride(deepest()), PageMemory::Pages::ordinary) {}

/// The largest depth of the weights.
uint32_t StepRunner::deepest() const {
    return std::max({spec_.hiddenSize, spec_.headsPerLane() * spec_.headDim, spec_.ffnPerLane()});
}

bool StepRunner::run(const Step &step, const std::atomic<bool> *cancel) {
    step_ = step;
    group_ = laneGroup(spec_, step.workers, worker_);
    tokens_ = static_cast<uint32_t>(step.tokens.size());
    cancel_ = cancel;
    embed();
    for (uint32_t layer = 0; layer < spec_.layerCount; layer++) {
        if (!queryKeyValue(layer) || !attention(layer) || !attentionOutput(layer) || !gateUp(layer) || !down(layer)) {
            return false;
        }
    }
    if (!step_.selected.empty() && !head()) {
        return false;
    }
    const uint32_t last = phaseOf(spec_.layerCount, PhaseKind::qkv);
    publish(last);
    return worker_ != 0 || waitForAll(last);
}

bool StepRunner::mayGoOn() {
    if (cancel_ != nullptr && cancel_->load(std::memory_order_relaxed)) {
        r_.progress.leave(Progress::Leave::cancelled);
    }
    return r_.progress.leaving() == Progress::Leave::no;
}

// Even ticks are finished phases, the odd ones are for exchangeLanes().
uint64_t StepRunner::tick(uint32_t phase) const { return 2 * (step_.index * r_.plan.phases.size() + phase + 1); }

void StepRunner::publish(uint32_t phase) { r_.progress.publish(worker_, tick(phase)); }

bool StepRunner::waitForGroup(uint32_t phase) {
    return r_.progress.wait(worker_, group_.workers.begin, group_.workers.end, tick(phase),
                            r_.plan.phases[phase].writes);
}

bool StepRunner::waitForAll(uint32_t phase) {
    return r_.progress.wait(worker_, 0, step_.workers, tick(phase), r_.plan.phases[phase].writes);
}

/// This worker's part of a matrix's units. With all workers it is what lies in the worker's own memory.
Range StepRunner::shareOf(const PackedMatrix &matrix) const {
    return evenShare(static_cast<uint32_t>(matrix.panels.size()) / matrix.panelsPerUnit, worker_, step_.workers);
}

UnitWalk StepRunner::unitsOf(uint32_t phase, const PackedMatrix &matrix) {
    const Range group{group_.lanes.begin * matrix.unitsPerLane, group_.lanes.end * matrix.unitsPerLane};
    return walk(phase, group, shareOf(matrix));
}

/// With one token a unit takes too short a time for being handed out, and streams best from where it was packed.
UnitWalk StepRunner::walk(uint32_t phase, Range shared, Range own) {
    if (tokens_ == 1 || group_.workers.size() == 1) {
        return UnitWalk(own);
    }
    return {shared, r_.takenUnits.of(phase, group_.lanes.begin / group_.lanes.size())};
}

void StepRunner::embed() {
    for (uint32_t t = 0; t < tokens_; t++) {
        float *first = residual(group_.lanes.begin) + size_t{t} * hiddenWidth_;
        r_.weights.embedding(step_.tokens[t], first);
        for (uint32_t lane = group_.lanes.begin + 1; lane < group_.lanes.end; lane++) {
            std::memcpy(residual(lane) + size_t{t} * hiddenWidth_, first, hiddenWidth_ * sizeof(float));
        }
    }
    rope_.fill(step_.first, tokens_);
}

void StepRunner::prepare(const PackedMatrix &matrix, const float *x, size_t xStride, uint32_t tokens) {
    operand_ = r_.kernels.prepare(matrix.format, matrix.depth, x, xStride, tokens, operandRows_.data());
    operandTokens_ = tokens;
}

void StepRunner::multiply(const PackedMatrix &matrix, const Panel &panel, float *y, size_t yStride) {
    r_.kernels.multiply({matrix.format, panel.blocks, matrix.depth, operandTokens_, panel.data, operand_, y, yStride,
                         expandedPanel_.floats(), r_.asksAhead});
}

bool StepRunner::queryKeyValue(uint32_t layer) {
    if (!mayGoOn() || (layer > 0 && !reduce(Block::ffn, layer - 1))) {
        return false;
    }
    const LayerWeights &weights = r_.weights.layers()[layer];
    UnitWalk units = unitsOf(phaseOf(layer, PhaseKind::qkv), weights.qkv);
    uint32_t lane = spec_.laneCount;
    while (const std::optional<uint32_t> next = units.next()) {
        const uint32_t unit = *next;
        if (unit / weights.qkv.unitsPerLane != lane) {
            lane = unit / weights.qkv.unitsPerLane;
            normalize(weights.attentionNorm, lane);
            prepare(weights.qkv, normalized_.floats(), hiddenWidth_, tokens_);
        }
        uint32_t row = 0;
        for (const Panel &panel : weights.qkv.unit(unit)) {
            multiply(weights.qkv, panel, headRows_.floats() + row, headWidth_);
            row += panelRows;
        }
        finishHead(layer, unit);
    }
    publish(phaseOf(layer, PhaseKind::qkv));
    return true;
}

/// From a head's raw rows: bias, norm and RoPE, then to where attention reads it.
void StepRunner::finishHead(uint32_t layer, uint32_t unit) {
    const LayerWeights &weights = r_.weights.layers()[layer];
    const uint32_t lane = unit / weights.qkv.unitsPerLane, inLane = unit % weights.qkv.unitsPerLane;
    const uint32_t queries = spec_.headsPerLane(), keys = spec_.kvHeadsPerLane();
    const bool isQuery = inLane < queries, isKey = !isQuery && inLane < queries + keys;
    const std::vector<float> &norm = isQuery ? weights.queryNorm : weights.keyNorm;
    const float scale = 1.0f / std::sqrt(static_cast<float>(spec_.headDim));
    for (uint32_t t = 0; t < tokens_; t++) {
        float *head = headRows_.floats() + size_t{t} * headWidth_;
        for (uint32_t d = 0; !weights.qkvBias.empty() && d < spec_.headDim; d++) {
            head[d] += weights.qkvBias[size_t{unit} * headWidth_ + d];
        }
        if ((isQuery || isKey) && !norm.empty()) {
            r_.kernels.rmsNorm(head, norm.data(), spec_.headDim, spec_.normEpsilon, head);
        }
        if (isQuery) {
            rope_.rotate(t, head);
            const uint32_t kvHead = lane * keys + inLane / queriesPerKey_;
            const size_t row = size_t{t} * queriesPerKey_ + inLane % queriesPerKey_;
            float *out = r_.activations.queries(kvHead) + row * headWidth_;
            for (uint32_t d = 0; d < spec_.headDim; d++) {
                head[d] *= scale;
            }
            r_.kernels.toCache(head, headWidth_, out);
        } else if (isKey) {
            rope_.rotate(t, head);
            r_.kernels.toCache(head, headWidth_, cacheRow_.data());
            r_.cache.writeKey(step_.slot, layer, lane * keys + inLane - queries, step_.first + t, cacheRow_.data());
        } else {
            r_.kernels.toCache(head, headWidth_, cacheRow_.data());
            r_.cache.writeValue(step_.slot, layer, lane * keys + inLane - queries - keys, step_.first + t,
                                cacheRow_.data());
        }
    }
}

/// Until the layer's buffers of partial outputs may be written: the last that was read from them was added to the
/// streams in the layer before, at the begin of the phase waited for here. Groups of lanes may so drift apart by three
/// phases.
bool StepRunner::waitForRoom(Block block, uint32_t layer) {
    if (layer < Activations::partialLayers(spec_)) {
        return true;
    }
    return waitForAll(block == Block::attention ? phaseOf(layer - 1, PhaseKind::gateUp)
                                                : phaseOf(layer, PhaseKind::qkv));
}

/// This worker's units of a block's last matrix: the lanes' partial outputs. input(lane) gives a lane's [tokens,
/// width].
template <class Input>
bool StepRunner::multiplyUnits(PhaseKind kind, Block block, uint32_t layer, const PackedMatrix &matrix, size_t width,
                               const Input &input) {
    if (!waitForRoom(block, layer)) {
        return false;
    }
    uint32_t lane = spec_.laneCount;
    UnitWalk units = unitsOf(phaseOf(layer, kind), matrix);
    while (const std::optional<uint32_t> unit = units.next()) {
        if (*unit / matrix.unitsPerLane != lane) {
            lane = *unit / matrix.unitsPerLane;
            prepare(matrix, input(lane), width, tokens_);
        }
        const Panel &panel = matrix.panels[*unit];
        multiply(matrix, panel, r_.activations.partial(block, layer, lane) + panel.firstRow, hiddenWidth_);
    }
    publish(phaseOf(layer, kind));
    return true;
}

bool StepRunner::attentionOutput(uint32_t layer) {
    if (!mayGoOn() || !waitForGroup(phaseOf(layer, PhaseKind::attention))) {
        return false;
    }
    const bool split = splitsKeys();
    if (split) {
        mergeSplit(layer);
    }
    const uint32_t width = r_.activations.attentionWidth();
    return multiplyUnits(PhaseKind::attentionOutput, Block::attention, layer, r_.weights.layers()[layer].output, width,
                         [&](uint32_t lane) {
                             return split ? merged_.floats() + size_t{lane} * width : r_.activations.attention(lane);
                         });
}

bool StepRunner::gateUp(uint32_t layer) {
    if (!mayGoOn() || !reduce(Block::attention, layer)) {
        return false;
    }
    const LayerWeights &weights = r_.weights.layers()[layer];
    UnitWalk units = unitsOf(phaseOf(layer, PhaseKind::gateUp), weights.gateUp);
    uint32_t lane = spec_.laneCount;
    while (const std::optional<uint32_t> next = units.next()) {
        const uint32_t unit = *next;
        if (unit / weights.gateUp.unitsPerLane != lane) {
            lane = unit / weights.gateUp.unitsPerLane;
            normalize(weights.ffnNorm, lane);
            prepare(weights.gateUp, normalized_.floats(), hiddenWidth_, tokens_);
        }
        const Panel &panel = weights.gateUp.panels[unit];
        float *rows = headRows_.floats();
        multiply(weights.gateUp, panel, rows, panelRows);
        const uint32_t half = panel.blocks / 2 * blockRows;
        for (uint32_t t = 0; t < tokens_; t++) {
            const float *gate = rows + size_t{t} * panelRows;
            float *out = r_.activations.gated(lane) + size_t{t} * r_.activations.gatedWidth() + panel.firstRow;
            r_.kernels.gatedUnit(gate, gate + half, out, half);
        }
    }
    publish(phaseOf(layer, PhaseKind::gateUp));
    return true;
}

bool StepRunner::down(uint32_t layer) {
    if (!mayGoOn() || !waitForGroup(phaseOf(layer, PhaseKind::gateUp))) {
        return false;
    }
    return multiplyUnits(PhaseKind::down, Block::ffn, layer, r_.weights.layers()[layer].down,
                         r_.activations.gatedWidth(), [&](uint32_t lane) { return r_.activations.gated(lane); });
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
    for (uint32_t lane = group_.lanes.begin; lane < group_.lanes.end; lane++) {
        addLane(block, layer, lane);
    }
    return true;
}

/// What is summed into a lane's stream is a list of rows; the order is the lanes', whoever computed them.
void StepRunner::addLane(Block block, uint32_t layer, uint32_t lane) {
    const LaneReduction reduction = spec_.reduction(layer);
    const float scale = reduction == LaneReduction::scaledOwn ? std::sqrt(static_cast<float>(spec_.laneCount)) : 1.0f;
    terms_.clear();
    if (reduction != LaneReduction::present) {
        terms_.push_back(r_.activations.partial(block, layer, lane));
    }
    for (uint32_t other = 0; other < spec_.laneCount && reduction != LaneReduction::scaledOwn; other++) {
        if (reduction == LaneReduction::present) {
            terms_.push_back(r_.activations.partial(block, layer, other));
        } else if (other != lane) {
            terms_.push_back(r_.activations.partial(block, layer - spec_.broadcastDelay, other));
        }
    }
    // Rows of successive tokens follow each other without a gap.
    r_.kernels.addTerms(residual(lane), terms_.data(), static_cast<uint32_t>(terms_.size()), scale,
                        tokens_ * hiddenWidth_);
}

void StepRunner::normalize(const std::vector<float> &weights, uint32_t lane) {
    for (uint32_t t = 0; t < tokens_; t++) {
        const size_t row = size_t{t} * hiddenWidth_;
        r_.kernels.rmsNorm(residual(lane) + row, laneNorm(weights, lane), spec_.hiddenSize, spec_.normEpsilon,
                           normalized_.floats() + row);
    }
}

const float *StepRunner::laneNorm(const std::vector<float> &weights, uint32_t lane) const {
    return weights.data() + (weights.size() > hiddenWidth_ ? size_t{lane} * hiddenWidth_ : 0);
}

} // namespace monokernel::cpu
