#include "exec/cpu/decode_loop.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

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

DecodeLoop::DecodeLoop(const StepResources &resources, StepTeam &team, uint32_t contextLength, bool draftAlways)
    : r_(resources), team_(team), contextLength_(contextLength),
      sampler_(resources.kernels, headRuns(resources.weights.head(), resources.weights.spec().vocabularySize)),
      speculator_(draftAlways) {
    tokens_.reserve(1 + mostDrafted);
    selected_.reserve(1 + mostDrafted);
}

bool DecodeLoop::step(uint32_t slot, std::span<const int32_t> tokens, const SamplingKey &key,
                      const std::atomic<bool> *cancel) {
    return team_.run({.slot = slot, .first = position_, .tokens = tokens, .selected = selected_, .sampling = key},
                     cancel);
}

void DecodeLoop::run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink) {
    start_ = firstToken_ = Clock::now();
    result_ = {};
    position_ = job.reused;
    row_ = 0;
    tokens_.clear();
    speculates_ = speculates(job);
    std::optional<StopReason> stop;
    if (!prefill(job)) {
        stop = StopReason::cancelled;
    } else if (job.maxTokens == 0) {
        stop = StopReason::maxTokens;
    }
    while (!stop) {
        const GeneratedToken token = choose(job);
        stop = accept(job, token, sink);
        if (!stop && !advance(job, token.token)) {
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
        position_ += count;
        result_.prefilled += count;
    }
    return true;
}

/// From the current row of the last step.
GeneratedToken DecodeLoop::choose(const SequenceJob &job) {
    const size_t vocabulary = r_.weights.spec().vocabularySize, units = r_.weights.head().panels.size();
    const std::span<const float> logits(r_.activations.logits);
    const std::span<const LogitSummary> summaries(r_.activations.summaries);
    return sampler_.choose(logits.subspan(row_ * vocabulary, vocabulary), summaries.subspan(row_ * units, units),
                           job.sampling, position_);
}

/// Makes the row that follows `token` the current one: the last step's next row if the draft had this token there, else
/// the first one of a new step, which overwrites what the cache holds of a wrong draft.
bool DecodeLoop::advance(const SequenceJob &job, int32_t token) {
    if (speculates_) {
        expect(job, token);
    }
    if (row_ + 1 < tokens_.size() && tokens_[row_ + 1] == token) {
        if (job.cancel != nullptr && job.cancel->load(std::memory_order_relaxed)) {
            return false;
        }
        row_++;
        result_.accepted++;
    } else {
        tokens_.assign(1, token);
        if (!decode(job)) {
            return false;
        }
        row_ = 0;
    }
    position_++;
    return true;
}

/// What may follow `token`. Begins after the first token has been given out, which so comes no later.
void DecodeLoop::expect(const SequenceJob &job, int32_t token) {
    if (result_.generated == 1) {
        const uint64_t wanted = uint64_t{job.maxTokens} + job.tokens.size();
        speculator_.start(job.tokens, static_cast<uint32_t>(std::min<uint64_t>(wanted, contextLength_ + 1)));
        speculationBytes_.store(speculator_.bytes(), std::memory_order_relaxed);
    }
    speculator_.append(token);
}

/// A step of tokens_'s only token and its draft.
bool DecodeLoop::decode(const SequenceJob &job) {
    const std::span<const int32_t> drafted = draft(job);
    tokens_.insert(tokens_.end(), drafted.begin(), drafted.end());
    selected_.resize(tokens_.size());
    std::iota(selected_.begin(), selected_.end(), 0u);
    const Clock::time_point start = Clock::now();
    if (!step(job.slot, tokens_, samplingKey(job.sampling, position_ + 1), job.cancel)) {
        return false;
    }
    if (speculates_) {
        speculator_.observeStep(static_cast<uint32_t>(drafted.size()), seconds(Clock::now() - start));
        result_.drafted += static_cast<uint32_t>(drafted.size());
    }
    return true;
}

/// No more than can be given out and than there is place for.
std::span<const int32_t> DecodeLoop::draft(const SequenceJob &job) {
    if (!speculates_) {
        return {};
    }
    const uint32_t wanted = job.maxTokens - result_.generated - 1, places = contextLength_ - position_ - 1;
    return speculator_.draft(std::min({wanted, places, r_.activations.maxTokens() - 1}));
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
        position_ += count;
        const size_t size = selected_.size() * r_.weights.spec().vocabularySize;
        std::memcpy(out.data(), r_.activations.logits.data(), size * sizeof(float));
        out = out.subspan(size);
    }
}

} // namespace monokernel::cpu
