#include "exec/cpu/step_runner.h"

#include <algorithm>
#include <cmath>

namespace monokernel::cpu {

namespace {

PageMemory floats(size_t count) { return {count * sizeof(float), PageMemory::Pages::ordinary}; }

} // namespace

StepRunner::StepRunner(const StepResources &resources, uint32_t worker)
    : r_(resources), spec_(resources.weights.spec()), worker_(worker), maxTokens_(resources.activations.maxTokens()),
      hiddenWidth_(resources.activations.hiddenWidth()), headWidth_(resources.activations.headWidth()),
      queriesPerKey_(spec_.headCount / spec_.kvHeadCount), rope_(spec_, maxTokens_),
      residual_(floats(size_t{spec_.laneCount} * hiddenWidth_)), normalized_(floats(size_t{maxTokens_} * hiddenWidth_)),
      headRows_(floats(size_t{maxTokens_} * std::max(headWidth_, panelRows))),
      state_(floats(size_t{maxTokens_} * spec_.headCount * attentionStateWidth(headWidth_))),
      merged_(floats(size_t{spec_.laneCount} * resources.activations.attentionWidth())),
      expandedPanel_(floats(size_t{panelRows} * expandedDepth)), cacheRow_(floats(headWidth_)),
      operandRows_(resources.sharedRows.operandBytes(), PageMemory::Pages::ordinary), operands_(spec_.laneCount) {}

bool StepRunner::run(const Step &step, const std::atomic<bool> *cancel) {
    step_ = step;
    group_ = laneGroup(spec_, step.workers, worker_);
    tokens_ = static_cast<uint32_t>(step.tokens.size());
    rows_ =
        sharesRows() ? evenShare(tokens_, worker_ - group_.workers.begin, group_.workers.size()) : Range{0, tokens_};
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

uint64_t StepRunner::tick(uint32_t phase, Stage stage) const {
    return 3 * (step_.index * r_.plan.phases.size() + phase) + static_cast<uint64_t>(stage);
}

void StepRunner::publish(uint32_t phase) { r_.progress.publish(worker_, tick(phase, Stage::done)); }

bool StepRunner::waitForGroup(uint32_t phase) {
    return r_.progress.wait(worker_, group_.workers.begin, group_.workers.end, tick(phase, Stage::done),
                            r_.plan.phases[phase].writes);
}

bool StepRunner::waitForAll(uint32_t phase) {
    return r_.progress.wait(worker_, 0, step_.workers, tick(phase, Stage::done), r_.plan.phases[phase].writes);
}

/// This worker's part of a matrix's units. With all workers it is what lies in the worker's own memory.
Range StepRunner::shareOf(const PackedMatrix &matrix) const {
    return evenShare(static_cast<uint32_t>(matrix.panels.size()) / matrix.panelsPerUnit, worker_, step_.workers);
}

UnitWalk StepRunner::unitsOf(uint32_t phase, const PackedMatrix &matrix) {
    const Range group{group_.lanes.begin * matrix.unitsPerLane, group_.lanes.end * matrix.unitsPerLane};
    return sharesRows() ? sharedUnits(phase, group) : UnitWalk(shareOf(matrix));
}

/// Only with many tokens: with one a unit takes too short a time for being counted.
UnitWalk StepRunner::sharedUnits(uint32_t phase, Range units) {
    const Range members = group_.workers;
    return {units, worker_ - members.begin, members.size(), r_.takenUnits.of(phase, members.begin)};
}

void StepRunner::multiply(const PackedMatrix &matrix, const Panel &panel, uint32_t tokens, float *y, size_t yStride) {
    r_.kernels.multiply({matrix.format, panel.blocks, matrix.depth, tokens, panel.data, operand_, y, yStride,
                         expandedPanel_.floats(), r_.asksAhead});
}

/// Runs use(unit, lane) for this worker's units of a phase, with the lane's rows in operand_. input(lane) gives this
/// worker's rows of a lane's input.
template <class Input, class Use>
bool StepRunner::forUnits(uint32_t phase, const PackedMatrix &matrix, const Input &input, const Use &use) {
    if (sharesRows()) {
        for (uint32_t lane = group_.lanes.begin; lane < group_.lanes.end; lane++) {
            operands_[lane] = prepare(matrix, input(lane), lane);
        }
        if (!handRowsOver(phase)) {
            return false;
        }
    }
    UnitWalk units = unitsOf(phase, matrix);
    uint32_t lane = spec_.laneCount;
    while (const std::optional<uint32_t> unit = units.next()) {
        if (*unit / matrix.unitsPerLane != lane) {
            lane = *unit / matrix.unitsPerLane;
            operand_ = sharesRows() ? operands_[lane] : prepare(matrix, input(lane), lane);
        }
        use(*unit, lane);
    }
    publish(phase);
    return true;
}

bool StepRunner::queryKeyValue(uint32_t layer) {
    if (!mayGoOn() || (layer > 0 && !reduce(Block::ffn, layer - 1))) {
        return false;
    }
    const LayerWeights &weights = r_.weights.layers()[layer];
    return forUnits(
        phaseOf(layer, PhaseKind::qkv), weights.qkv,
        [&](uint32_t lane) { return normalize(weights.attentionNorm, lane); },
        [&](uint32_t unit, uint32_t) {
            uint32_t row = 0;
            for (const Panel &panel : weights.qkv.unit(unit)) {
                multiply(weights.qkv, panel, tokens_, headRows_.floats() + row, headWidth_);
                row += panelRows;
            }
            finishHead(layer, unit);
        });
}

void StepRunner::rotate(uint32_t token, float *head, float scale) {
    r_.kernels.rotate(head, rope_.cosine(token), rope_.sine(token), spec_.headDim / 2,
                      spec_.ropePairs == RopePairs::interleaved, scale);
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
        if (!weights.qkvBias.empty()) {
            const float *bias = weights.qkvBias.data() + size_t{unit} * headWidth_;
            r_.kernels.addTerms(head, &bias, 1, 1.0f, headWidth_);
        }
        if ((isQuery || isKey) && !norm.empty()) {
            r_.kernels.rmsNorm(head, norm.data(), spec_.headDim, spec_.normEpsilon, head);
        }
        if (isQuery) {
            rotate(t, head, scale);
            const uint32_t kvHead = lane * keys + inLane / queriesPerKey_;
            const size_t row = size_t{t} * queriesPerKey_ + inLane % queriesPerKey_;
            float *out = r_.activations.queries(kvHead) + row * headWidth_;
            r_.kernels.toCache(head, headWidth_, out);
        } else if (isKey) {
            rotate(t, head, 1.0f);
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

/// The units of a block's last matrix: the lanes' partial outputs.
template <class Input>
bool StepRunner::multiplyLast(PhaseKind kind, Block block, uint32_t layer, const PackedMatrix &matrix,
                              const Input &input) {
    return waitForRoom(block, layer) &&
           forUnits(phaseOf(layer, kind), matrix, input, [&](uint32_t unit, uint32_t lane) {
               const Panel &panel = matrix.panels[unit];
               multiply(matrix, panel, tokens_, r_.activations.partial(block, layer, lane) + panel.firstRow,
                        hiddenWidth_);
           });
}

bool StepRunner::attentionOutput(uint32_t layer) {
    if (!mayGoOn() || !waitForGroup(phaseOf(layer, PhaseKind::attention))) {
        return false;
    }
    const bool split = splitsKeys();
    if (split) {
        mergeSplit(layer);
    }
    const size_t width = r_.activations.attentionWidth();
    return multiplyLast(PhaseKind::attentionOutput, Block::attention, layer, r_.weights.layers()[layer].output,
                        [&](uint32_t lane) -> Rows {
                            return {split ? merged_.floats() + lane * width : r_.activations.attention(lane), width};
                        });
}

bool StepRunner::gateUp(uint32_t layer) {
    if (!mayGoOn() || !reduce(Block::attention, layer)) {
        return false;
    }
    const LayerWeights &weights = r_.weights.layers()[layer];
    return forUnits(
        phaseOf(layer, PhaseKind::gateUp), weights.gateUp,
        [&](uint32_t lane) { return normalize(weights.ffnNorm, lane); },
        [&](uint32_t unit, uint32_t lane) {
            const Panel &panel = weights.gateUp.panels[unit];
            float *rows = headRows_.floats();
            multiply(weights.gateUp, panel, tokens_, rows, panelRows);
            const uint32_t half = panel.blocks / 2 * blockRows;
            for (uint32_t t = 0; t < tokens_; t++) {
                const float *gate = rows + size_t{t} * panelRows;
                float *out = r_.activations.gated(lane) + size_t{t} * r_.activations.gatedWidth() + panel.firstRow;
                r_.kernels.gatedUnit(gate, gate + half, out, half);
            }
        });
}

bool StepRunner::down(uint32_t layer) {
    if (!mayGoOn() || !waitForGroup(phaseOf(layer, PhaseKind::gateUp))) {
        return false;
    }
    return multiplyLast(
        PhaseKind::down, Block::ffn, layer, r_.weights.layers()[layer].down,
        [&](uint32_t lane) -> Rows { return {r_.activations.gated(lane), r_.activations.gatedWidth()}; });
}

} // namespace monokernel::cpu
