#include "exec/cpu/decode_loop.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace monokernel::cpu {

namespace {

/// The token ranges that the head's units make logits of.
std::vector<uint32_t> headRuns(const PackedMatrix &head, uint32_t vocabularySize) {
    const auto lanes = static_cast<uint32_t>(head.panels.size()) / head.unitsPerLane;
    std::vector<uint32_t> starts;
    for (uint32_t unit = 0; unit < head.panels.size(); unit++) {
        starts.push_back(unit / head.unitsPerLane * (vocabularySize / lanes) + head.panels[unit].firstRow);
    }
    starts.push_back(vocabularySize);
    return starts;
}

double seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

} // namespace

DecodeLoop::DecodeLoop(const StepResources &resources, uint32_t worker, uint32_t contextLength)
    : r_(resources), worker_(worker), contextLength_(contextLength), runner_(resources, worker),
      sampler_(resources.kernels, headRuns(resources.weights.head(), resources.weights.spec().vocabularySize)) {}

bool DecodeLoop::step(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> selected,
                      const SamplingKey &key, const std::atomic<bool> *cancel) {
    const Step next{steps_, slot, position_, tokens, selected, key};
    if (!runner_.run(next, worker_ == 0 ? cancel : nullptr)) {
        return false;
    }
    steps_++;
    position_ += static_cast<uint32_t>(tokens.size());
    return true;
}

void DecodeLoop::run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink) {
    start_ = firstToken_ = Clock::now();
    result_ = {};
    steps_ = 0;
    position_ = job.reused;
    std::optional<StopReason> stop;
    if (!prefill(job)) {
        stop = StopReason::cancelled;
    } else if (job.maxTokens == 0) {
        stop = StopReason::maxTokens;
    }
    while (!stop) {
        const GeneratedToken token =
            sampler_.choose(r_.activations.logits, r_.activations.summaries, job.sampling, position_);
        stop = accept(job, token, sink);
        constexpr uint32_t only[] = {0};
        if (!stop && !step(job.slot, {&token.token, 1}, only, samplingKey(job.sampling, position_ + 1), job.cancel)) {
            stop = StopReason::cancelled;
        }
    }
    result_.stop = *stop;
    result_.cached = position_;
    if (result_.generated > 0) {
        result_.decodeSeconds = seconds(Clock::now() - firstToken_);
    }
}

bool DecodeLoop::prefill(const SequenceJob &job) {
    const auto length = static_cast<uint32_t>(job.tokens.size());
    const SamplingKey key = samplingKey(job.sampling, length);
    while (position_ < length) {
        const uint32_t count = std::min(length - position_, r_.activations.maxTokens());
        const uint32_t last[] = {count - 1};
        const bool wantsLogits = position_ + count == length && job.maxTokens > 0;
        if (!step(job.slot, job.tokens.subspan(position_, count), std::span(last).first(wantsLogits ? 1 : 0), key,
                  job.cancel)) {
            return false;
        }
        result_.prefilled += count;
    }
    return true;
}

/// Gives the token out, unless it ends the sequence; then, or if it was the last one, says why.
std::optional<StopReason> DecodeLoop::accept(const SequenceJob &job, GeneratedToken token,
                                             const std::function<void(GeneratedToken)> &sink) {
    if (std::find(job.stopTokens.begin(), job.stopTokens.end(), token.token) != job.stopTokens.end()) {
        return StopReason::stopToken;
    }
    if (job.minProbability > 0.0f && std::exp(token.logprob) < job.minProbability) {
        return StopReason::minProbability;
    }
    if (result_.generated == 0) {
        firstToken_ = Clock::now();
        result_.timeToFirstToken = seconds(firstToken_ - start_);
    }
    result_.generated++;
    if (worker_ == 0) {
        sink(token);
    }
    if (result_.generated == job.maxTokens) {
        return StopReason::maxTokens;
    }
    return position_ == contextLength_ ? std::optional(StopReason::contextFull) : std::nullopt;
}

void DecodeLoop::runLogits(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> positions,
                           uint32_t stepWidth, std::span<float> out) {
    steps_ = 0;
    position_ = 0;
    std::vector<uint32_t> selected;
    while (position_ < tokens.size()) {
        const uint32_t first = position_;
        const uint32_t count = std::min(stepWidth, static_cast<uint32_t>(tokens.size()) - first);
        selected.clear();
        for (const uint32_t position : positions) {
            if (position >= first && position < first + count) {
                selected.push_back(position - first);
            }
        }
        if (!step(slot, tokens.subspan(first, count), selected, {}, nullptr)) {
            return;
        }
        if (worker_ == 0) {
            const size_t size = selected.size() * r_.weights.spec().vocabularySize;
            std::memcpy(out.data(), r_.activations.logits.data(), size * sizeof(float));
            out = out.subspan(size);
        }
    }
}

} // namespace monokernel::cpu
