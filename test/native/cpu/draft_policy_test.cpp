// How much of a draft is verified, by what was right and what it cost so far.

#include "check.h"
#include "exec/cpu/draft_policy.h"

#include <cmath>

using monokernel::cpu::DraftPolicy;

namespace {

constexpr double plainStep = 1e-3;

/// A policy that knows what a drafted token costs, in plain steps.
DraftPolicy withCost(double cost) {
    DraftPolicy policy;
    for (uint32_t i = 0; i < 40; i++) {
        policy.observeStep(0, plainStep);
        policy.observeStep(4, plainStep * (1 + 4 * cost));
    }
    return policy;
}

void observe(DraftPolicy &policy, uint32_t matched, bool right, uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        policy.observeToken(matched, right);
    }
}

} // namespace

TEST(nothingIsVerifiedBeforeAPlainStepIsKnown) {
    DraftPolicy policy;
    CHECK(policy.choose(8, 5) == 0);
    policy.observeStep(0, plainStep);
    CHECK(policy.choose(8, 5) > 0);
    CHECK(policy.choose(8, 0) == 0);
}

TEST(costIsLearnt) {
    CHECK(std::abs(withCost(0.5).tokenCost() - 0.5) < 0.01);
    CHECK(std::abs(withCost(0.05).tokenCost() - 0.05) < 0.01);
}

TEST(rightDraftsAreVerifiedWholeAndWrongOnesNot) {
    DraftPolicy policy = withCost(0.2);
    for (uint32_t matched = 2; matched <= 8; matched++) {
        observe(policy, matched, true, 100);
    }
    CHECK(policy.choose(3, 5) == 5);
    CHECK(policy.choose(3, 2) == 2);
    observe(policy, 2, false, 200);
    CHECK(policy.choose(2, 5) == 0);
    CHECK(policy.choose(3, 5) == 5); // another agreement
    observe(policy, 2, true, 500);
    CHECK(policy.choose(2, 5) == 5);
}

TEST(unlikelyTokensMakeDraftsShort) {
    DraftPolicy policy = withCost(0.2);
    observe(policy, 4, true, 200);
    observe(policy, 5, true, 200);
    observe(policy, 6, false, 200);
    CHECK(policy.choose(4, 5) == 2);
}

TEST(whatCostsAsMuchAsAPlainStepIsNotVerified) {
    DraftPolicy policy = withCost(1.0);
    for (uint32_t matched = 2; matched <= 8; matched++) {
        observe(policy, matched, true, 100);
    }
    CHECK(policy.choose(8, 5) == 0);
}

TEST(oneDraftInManyIsTriedNevertheless) {
    DraftPolicy policy = withCost(1.0);
    uint32_t tried = 0;
    for (uint32_t i = 0; i < 10 * (DraftPolicy::stepsToTry + 1); i++) {
        tried += policy.choose(4, 5) > 0 ? 1 : 0;
    }
    CHECK(tried == 10);
    for (uint32_t i = 0; i < 60; i++) { // So it notices that the machine has become quicker.
        policy.observeStep(1, plainStep * 1.1);
    }
    observe(policy, 4, true, 100);
    CHECK(policy.choose(4, 5) > 0);
}

TEST(oneInterruptedStepChangesLittle) {
    DraftPolicy policy = withCost(0.1);
    policy.observeStep(5, 1.0);
    CHECK(policy.tokenCost() < 0.7);
    for (uint32_t i = 0; i < 30; i++) {
        policy.observeStep(5, plainStep * 1.5);
    }
    DraftPolicy dear = withCost(1.0); // An interrupted plain step must not make drafts look cheap.
    dear.observeStep(0, 1.0);
    for (uint32_t i = 0; i < 3; i++) {
        dear.observeStep(5, plainStep * 6);
    }
    CHECK(dear.tokenCost() > 0.8);
}
