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

DecodeLoop::DecodeLoop(const StepResources &resources, StepTeam &team, uint32_t contextLength)
    : r_(resources), team_(team), contextLength_(contextLength),
      sampler_(resources.kernels, headRuns(resources.weights.head(), resources.weights.spec().vocabularySize)) {}

bool DecodeLoop::step(uint32_t slot, std::span<const int32_t> tokens, const SamplingKey &key,
                      const std::atomic<bool> *cancel) {
    if (!team_.run({.slot = slot, .first = position_, .tokens = tokens, .selected = selected_, .sampling = key},
                   cancel)) {
        return false;
    }
    position_ += static_cast<uint32_t>(tokens.size());
    return true;
}

void DecodeLoop::run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink) {
    start_ = firstToken_ = Clock::now();
    result_ = {};
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
        if (stop) {
            break;
        }
        token_ = token.token;
        selected_.assign(1, 0);
        if (!step(job.slot, {&token_, 1}, samplingKey(job.sampling, position_ + 1), job.cancel)) {
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
        const bool wantsLogits = position_ + count == length && job.maxTokens > 0;
        selected_.assign(wantsLogits ? 1 : 0, count - 1);
        if (!step(job.slot, job.tokens.subspan(position_, count), key, job.cancel)) {
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
    sink(token);
    if (result_.generated == job.maxTokens) {
        return StopReason::maxTokens;
    }
    return position_ == contextLength_ ? std::optional(StopReason::contextFull) : std::nullopt;
}

void DecodeLoop::runLogits(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> positions,
                           uint32_t stepWidth, std::span<float> out) {
    position_ = 0;
    while (position_ < tokens.size()) {
        const uint32_t first = position_;
        const uint32_t count = std::min(stepWidth, static_cast<uint32_t>(tokens.size()) - first);
        selected_.clear();
        for (const uint32_t position : positions) {
            if (position >= first && position < first + count) {
                selected_.push_back(position - first);
            }
        }
        if (!step(slot, tokens.subspan(first, count), {}, nullptr)) {
            return;
        }
        const size_t size = selected_.size() * r_.weights.spec().vocabularySize;
        std::memcpy(out.data(), r_.activations.logits.data(), size * sizeof(float));
        out = out.subspan(size);
    }
}

} // namespace monokernel::cpu
