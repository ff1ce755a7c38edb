#include "exec/cpu/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace monokernel::cpu {

namespace {

/// The first of the largest, so that ties go to the lower token.
template <class Items, class Value> const auto &firstLargest(const Items &items, const Value &value) {
    return *std::max_element(items.begin(), items.end(),
                             [&](const auto &a, const auto &b) { return value(a) < value(b); });
}

} // namespace

Sampler::Sampler(const Kernels &kernels, std::vector<uint32_t> runStarts)
    : kernels_(kernels), runStarts_(std::move(runStarts)), exponents_(roundUp(runStarts_.size(), blockRows)) {}

GeneratedToken Sampler::choose(std::span<const float> logits, std::span<const LogitSummary> summaries,
                               const Sampling &sampling, uint32_t position) {
    const LogitSummary &best = firstLargest(summaries, [](const LogitSummary &s) { return s.maximum; });
    maximum_ = best.maximum;
    uint32_t token = best.best;
    if (sampling.temperature > 0.0f) {
        const bool everything = sampling.topK == 0 && sampling.topP >= 1.0f;
        token = everything ? firstLargest(summaries, [](const LogitSummary &s) { return s.noisyMaximum; }).noisyBest
                           : drawFromCandidates(logits, summaries, sampling, position);
    }
    const double logNormalizer = static_cast<double>(maximum_) + std::log(totalWeight(summaries, 0.0f));
    return {static_cast<int32_t>(token), static_cast<float>(static_cast<double>(logits[token]) - logNormalizer)};
}

double Sampler::totalWeight(std::span<const LogitSummary> summaries, float temperature) {
    const float scale = temperature > 0.0f ? temperature : 1.0f;
    for (size_t i = 0; i < summaries.size(); i++) {
        exponents_[i] = (summaries[i].maximum - maximum_) / scale;
    }
    kernels_.exponential(exponents_.data(), exponents_.data(), static_cast<uint32_t>(exponents_.size()));
    double total = 0.0;
    for (size_t i = 0; i < summaries.size(); i++) {
        const float weight = temperature > 0.0f ? summaries[i].temperedWeight : summaries[i].weight;
        total += static_cast<double>(weight) * static_cast<double>(exponents_[i]);
    }
    return total;
}

/// Collects the best tokens down to a threshold that sinks until it holds what topK and topP can keep.
uint32_t Sampler::drawFromCandidates(std::span<const float> logits, std::span<const LogitSummary> summaries,
                                     const Sampling &sampling, uint32_t position) {
    const size_t wanted = sampling.topK == 0 ? logits.size() : std::min<size_t>(sampling.topK, logits.size());
    const double total = sampling.topK == 0 ? totalWeight(summaries, sampling.temperature) : 0.0;
    size_t kept = 0;
    for (float reach = 8.0f; kept == 0; reach *= 2.0f) {
        const bool all = reach > 1000.0f;
        collect(logits, summaries,
                all ? -std::numeric_limits<float>::infinity() : maximum_ - reach * sampling.temperature);
        if (all && candidates_.empty()) { // Not one logit is a number.
            return 0;
        }
        if (sampling.topK != 0 && (candidates_.size() >= wanted || all)) {
            sortBest(wanted);
            kept = cutByProbability(sampling, -1.0);
        } else if (sampling.topK == 0) {
            sortBest(candidates_.size());
            kept = cutByProbability(sampling, total);
            if (kept == candidates_.size() && !all) {
                kept = 0; // The border may lie among those not collected.
            }
        }
    }
    candidates_.resize(kept);
    tokens_.clear();
    values_.clear();
    for (const Candidate &candidate : candidates_) {
        tokens_.push_back(candidate.token);
        values_.push_back(candidate.logit);
    }
    kernels_.addNoise(values_.data(), tokens_.data(), static_cast<uint32_t>(kept), samplingKey(sampling, position),
                      values_.data());
    size_t chosen = 0;
    for (size_t i = 1; i < kept; i++) {
        if (values_[i] > values_[chosen] || (values_[i] == values_[chosen] && tokens_[i] < tokens_[chosen])) {
            chosen = i;
        }
    }
    return tokens_[chosen];
}

void Sampler::collect(std::span<const float> logits, std::span<const LogitSummary> summaries, float threshold) {
    candidates_.clear();
    for (size_t run = 0; run < summaries.size(); run++) {
        if (summaries[run].maximum < threshold) {
            continue;
        }
        for (uint32_t token = runStarts_[run]; token < runStarts_[run + 1]; token++) {
            if (logits[token] >= threshold) {
                candidates_.push_back({token, logits[token]});
            }
        }
    }
}

/// Keeps the `count` best candidates, best first.
void Sampler::sortBest(size_t count) {
    const auto better = [](const Candidate &a, const Candidate &b) {
        return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
    };
    count = std::min(count, candidates_.size());
    std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(count), candidates_.end(),
                      better);
    candidates_.resize(count);
}

/// How many of the sorted candidates make the smallest set of probability >= topP; at least one. `total` is the weight
/// of everything, negative for that of the candidates.
size_t Sampler::cutByProbability(const Sampling &sampling, double total) const {
    if (sampling.topP >= 1.0f) {
        return candidates_.size();
    }
    const auto weight = [&](const Candidate &c) {
        return std::exp(static_cast<double>(c.logit - maximum_) / static_cast<double>(sampling.temperature));
    };
    if (total < 0.0) {
        total = 0.0;
        for (const Candidate &candidate : candidates_) {
            total += weight(candidate);
        }
    }
    double sum = 0.0;
    for (size_t i = 0; i < candidates_.size(); i++) {
        sum += weight(candidates_[i]);
        if (sum >= static_cast<double>(sampling.topP) * total) {
            return i + 1;
        }
    }
    return candidates_.size();
}

} // namespace monokernel::cpu
