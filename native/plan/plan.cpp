#include "plan/plan.h"

namespace monokernel {

namespace {

/// Appends phases, each one reading the edge that the one before it writes.
class PlanBuilder {
public:
    explicit PlanBuilder(const ModelSpec &spec) {
        plan_.spec = spec;
        plan_.edges.push_back({EdgeKind::token, 0, 1});
    }

    /// `write` is the edge that `phase` makes; reads and writes are filled in here.
    void add(Phase phase, Edge write) {
        phase.reads = newest();
        plan_.edges.push_back(write);
        phase.writes = newest();
        plan_.phases.push_back(phase);
    }

    /// The last phase's token is the one that the next step's first phase reads.
    Plan finish(Phase sample) {
        sample.reads = newest();
        sample.writes = 0;
        plan_.phases.push_back(sample);
        return std::move(plan_);
    }

private:
    uint16_t newest() const { return static_cast<uint16_t>(plan_.edges.size() - 1); }
    Plan plan_;
};

void addLayer(PlanBuilder &builder, const ModelSpec &spec, uint16_t layer) {
    const auto lanes = static_cast<uint16_t>(spec.laneCount);
    const uint32_t query = spec.headsPerLane() * spec.headDim;
    const uint32_t key = spec.kvHeadsPerLane() * spec.headDim;
    const uint32_t ffn = spec.ffnPerLane();
    const uint32_t hidden = spec.hiddenSize;
    builder.add({PhaseKind::qkv, layer, lanes, query + 2 * key, hidden, 0},
                {EdgeKind::queryKeyValue, layer, lanes * (query + 2 * key)});
    builder.add({PhaseKind::attention, layer, lanes, query, spec.headDim, spec.window(layer)},
                {EdgeKind::attention, layer, lanes * query});
    builder.add({PhaseKind::attentionOutput, layer, lanes, hidden, query, 0},
                {EdgeKind::attentionPartial, layer, lanes * hidden});
    builder.add({PhaseKind::gateUp, layer, lanes, 2 * ffn, hidden, 0}, {EdgeKind::activation, layer, lanes * ffn});
    builder.add({PhaseKind::down, layer, lanes, hidden, ffn, 0}, {EdgeKind::ffnPartial, layer, lanes * hidden});
}

const char *edgeKindName(EdgeKind kind) {
    switch (kind) {
    case EdgeKind::token:
        return "token";
    case EdgeKind::embedding:
        return "embedding";
    case EdgeKind::queryKeyValue:
        return "queryKeyValue";
    case EdgeKind::attention:
        return "attention";
    case EdgeKind::attentionPartial:
        return "attentionPartial";
    case EdgeKind::activation:
        return "activation";
    case EdgeKind::ffnPartial:
        return "ffnPartial";
    case EdgeKind::logits:
        return "logits";
    }
    return "unknown";
}

} // namespace

std::string Edge::name() const {
    const bool inLayer = kind != EdgeKind::token && kind != EdgeKind::embedding && kind != EdgeKind::logits;
    return (inLayer ? "layer " + std::to_string(layer) + " " : "") + edgeKindName(kind);
}

Plan makePlan(const ModelSpec &spec) {
    PlanBuilder builder(spec);
    builder.add({PhaseKind::embed, 0, 1, spec.hiddenSize, 1, 0}, {EdgeKind::embedding, 0, spec.hiddenSize});
    for (uint32_t layer = 0; layer < spec.layerCount; layer++) {
        addLayer(builder, spec, static_cast<uint16_t>(layer));
    }
    const bool perLaneHead = spec.headType == HeadType::vocabularyParallel;
    const auto headLanes = static_cast<uint16_t>(perLaneHead ? spec.laneCount : 1);
    builder.add({PhaseKind::head, 0, headLanes, spec.vocabularySize / headLanes, spec.hiddenSize, 0},
                {EdgeKind::logits, 0, spec.vocabularySize});
    return builder.finish({PhaseKind::sample, 0, 1, 1, spec.vocabularySize, 0});
}

} // namespace monokernel
