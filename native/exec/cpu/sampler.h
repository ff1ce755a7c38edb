#pragma once

#include "exec/cpu/kernels/kernels.h"
#include "exec/executor.h"

#include <cstdint>
#include <span>
#include <vector>

namespace monokernel::cpu {

/// The noise key of a draw with `sampling` for the token that comes to stand at `position`.
inline SamplingKey samplingKey(const Sampling &sampling, uint32_t position) {
    return {sampling.temperature, sampling.seed, position};
}

/// Chooses a token from logits and their summaries: as Sampling says, with probabilities for topP taken at the sampling
/// temperature over the topK candidates. Every worker does this for itself and comes to the same token.
class Sampler {
public:
    /// `runStarts`: the first token of every summary's run of logits, ascending; then the vocabulary's size.
    Sampler(const Kernels &kernels, std::vector<uint32_t> runStarts);

    /// `summaries` must have been made with samplingKey(sampling, position).
    GeneratedToken choose(std::span<const float> logits, std::span<const LogitSummary> summaries,
                          const Sampling &sampling, uint32_t position);

private:
    struct Candidate {
        uint32_t token;
        float logit;
    };

    uint32_t drawFromCandidates(std::span<const float> logits, std::span<const LogitSummary> summaries,
                                const Sampling &sampling, uint32_t position);
    void collect(std::span<const float> logits, std::span<const LogitSummary> summaries, float threshold);
    void sortBest(size_t count);
    size_t cutByProbability(const Sampling &sampling, double total) const;
    /// Sum over the vocabulary of exp((logit - maximum) / temperature), 1 for a temperature of 0.
    double totalWeight(std::span<const LogitSummary> summaries, float temperature);

    const Kernels &kernels_;
    const std::vector<uint32_t> runStarts_;
    float maximum_ = 0.0f;
    std::vector<float> exponents_; ///< as long as there are summaries, padded to 16
    std::vector<Candidate> candidates_;
    std::vector<uint32_t> tokens_;
    std::vector<float> values_;
};

} // namespace monokernel::cpu
