#include "random_agreement.h"

#include "../cpu/random_model.h"
#include "../cpu/reference_forward.h"

#include <algorithm>
#include <cmath>

namespace golden {

using namespace monokernel;

namespace {

/// Keys and values in f16 and inputs of two bf16 parts leave up to 4.3e-4 on the shapes that were looked at;
/// an element in a wrong place or left out is some percent and more.
constexpr double tolerance = 2e-3;

} // namespace

std::string RandomModels::troubleOf(uint32_t seed) {
    std::mt19937 random(seed);
    const draft::TemporaryFolder folder;
    const draft::ModelFolder drafted = randomGpuModel(random);
    uint64_t bytes = 0;
    for (const draft::Tensor &tensor : drafted.tensors) {
        bytes += tensor.bytes.size();
    }
    if (bytes > mostBytes) {
        leftOut++;
        return {};
    }
    drafted.write(folder.path());
    const Model model = Model::open(folder.path());
    const ModelSpec &spec = model.spec();
    std::vector<int32_t> tokens(1 + random() % std::min(mostTokens, spec.maxPositions));
    std::ranges::generate(tokens, [&] { return static_cast<int32_t>(random() % spec.vocabularySize); });
    std::vector<uint32_t> positions(tokens.size());
    for (uint32_t i = 0; i < positions.size(); i++) {
        positions[i] = i;
    }
    const std::string label = "seed " + std::to_string(seed) + ", " + std::to_string(spec.laneCount) + " lanes of " +
                              std::to_string(spec.headsPerLane()) + " heads of " + std::to_string(spec.headDim) +
                              ", hidden " + std::to_string(spec.hiddenSize) + ", " + std::to_string(tokens.size()) +
                              " tokens: ";
    std::unique_ptr<Executor> executor;
    try {
        executor = load(model);
    } catch (const LaneTooWideError &) {
        leftOut++;
        return {};
    }
    const std::vector<float> byToken = executor->logits(0, tokens, positions, 1);
    const double difference = typicalDifference(byToken, referenceForward(model, tokens));
    worst = std::isnan(difference) ? difference : std::max(worst, difference);
    if (!(difference < tolerance)) {
        return label + "logits off by " + std::to_string(difference);
    }
    const std::vector<uint32_t> last{positions.back()}; // positions whose logits are wanted have steps of their own
    const std::vector<float> lastByToken = executor->logits(0, tokens, last, 1);
    if (!std::equal(lastByToken.begin(), lastByToken.end(), byToken.end() - static_cast<long>(lastByToken.size()))) {
        return label + "other bits where fewer logits are wanted";
    }
    for (const uint32_t width : {5u, 16u}) {
        if (executor->logits(0, tokens, last, width) != lastByToken) {
            return label + "other bits with " + std::to_string(width) + " tokens a step";
        }
    }
    return {};
}

} // namespace golden
