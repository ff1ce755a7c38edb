#include "check.h"
#include "model/model_spec.h"
#include "plan/plan.h"

#include <filesystem>
#include <set>

using namespace monokernel;

namespace {

const std::filesystem::path golden = MONOKERNEL_GOLDEN;

const char *const folders[] = {"laneformer-delay2",
                               "laneformer-early-comm",
                               "laneformer-gqa-tied",
                               "laneformer-prenorm-agg",
                               "laneformer-vocab-parallel",
                               "laneformer-lane-norm",
                               "llama",
                               "qwen2",
                               "qwen3"};

Plan planOf(const char *folder) { return makePlan(readModelSpec(golden / folder)); }

bool is(const Phase &phase, PhaseKind kind, uint16_t layer, uint16_t lanes, uint32_t rows, uint32_t depth) {
    return phase.kind == kind && phase.layer == layer && phase.lanes == lanes && phase.rows == rows &&
           phase.depth == depth;
}

} // namespace

TEST(phasesOfLaneformer) {
    const Plan plan =
        planOf("laneformer-gqa-tied"); // hidden 256, 16 heads, 8 KV heads of 16, FFN 256, 8 lanes, 5 layers
    if (!CHECK(plan.phases.size() == 1 + 5 * 5 + 2)) {
        return;
    }
    CHECK(is(plan.phases[0], PhaseKind::embed, 0, 1, 256, 1));
    for (uint16_t layer = 0; layer < 5; layer++) {
        const Phase *const phase = &plan.phases[1 + 5 * layer];
        CHECK(is(phase[0], PhaseKind::qkv, layer, 8, 2 * 16 + 2 * 16, 256));
        CHECK(is(phase[1], PhaseKind::attention, layer, 8, 32, 16));
        CHECK(is(phase[2], PhaseKind::attentionOutput, layer, 8, 256, 32));
        CHECK(is(phase[3], PhaseKind::gateUp, layer, 8, 64, 256));
        CHECK(is(phase[4], PhaseKind::down, layer, 8, 256, 32));
        CHECK(phase[1].window == (layer < 3 ? 8u : 0u));
        CHECK(phase[0].window == 0 && phase[2].window == 0);
    }
    CHECK(is(plan.phases[26], PhaseKind::head, 0, 1, 320, 256));
    CHECK(is(plan.phases[27], PhaseKind::sample, 0, 1, 1, 320));
}

TEST(phasesOfPlainTransformer) {
    const Plan plan = planOf("qwen3"); // hidden 128, 8 heads, 4 KV heads of 32, FFN 256
    CHECK(plan.phases.size() == 1 + 5 * 4 + 2);
    CHECK(is(plan.phases[1], PhaseKind::qkv, 0, 1, 8 * 32 + 2 * 4 * 32, 128));
    CHECK(is(plan.phases[2], PhaseKind::attention, 0, 1, 256, 32));
    CHECK(is(plan.phases[3], PhaseKind::attentionOutput, 0, 1, 128, 256));
    CHECK(is(plan.phases[4], PhaseKind::gateUp, 0, 1, 512, 128));
    CHECK(is(plan.phases[5], PhaseKind::down, 0, 1, 128, 256));
}

TEST(parallelHeadHasItsRowsALane) {
    const Plan plan = planOf("laneformer-vocab-parallel");
    CHECK(is(plan.phases[plan.phases.size() - 2], PhaseKind::head, 0, 8, 40, 128));
}

/// Each phase waits for what the one before it made; the sampled token closes the circle.
TEST(edgesFormOneRing) {
    for (const char *const folder : folders) {
        const Plan plan = planOf(folder);
        CHECK(plan.edges.size() == plan.phases.size());
        CHECK(plan.edges[plan.phases.front().reads].kind == EdgeKind::token);
        CHECK(plan.phases.back().writes == plan.phases.front().reads);
        std::set<uint16_t> written;
        for (size_t i = 0; i < plan.phases.size(); i++) {
            CHECK(plan.phases[i].writes < plan.edges.size());
            CHECK(written.insert(plan.phases[i].writes).second);
            CHECK(i == 0 || plan.phases[i].reads == plan.phases[i - 1].writes);
        }
    }
}

TEST(edgesHaveTheWidthOfTheirPhase) {
    for (const char *const folder : folders) {
        const Plan plan = planOf(folder);
        for (const Phase &phase : plan.phases) {
            const Edge &edge = plan.edges[phase.writes];
            // Gate and up rows meet in one activation; every other row is one float of the edge.
            const uint32_t rows = phase.kind == PhaseKind::gateUp ? phase.rows / 2 : phase.rows;
            CHECK_MESSAGE(edge.width == phase.lanes * rows, edge.name());
            CHECK(edge.layer == phase.layer);
        }
    }
}

TEST(edgeNames) {
    const Plan plan = planOf("laneformer-delay2");
    std::set<std::string> names;
    for (const Edge &edge : plan.edges) {
        names.insert(edge.name());
    }
    CHECK(names.size() == plan.edges.size());
    for (const char *const name : {"token", "embedding", "layer 0 queryKeyValue", "layer 1 attention",
                                   "layer 3 attentionPartial", "layer 4 activation", "layer 4 ffnPartial", "logits"}) {
        CHECK_MESSAGE(names.contains(name), name);
    }
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
