#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace monokernel {

/// temperature 0 is greedy (ties go to the lower token id). Otherwise the token is the argmax over the candidates of
/// logit / temperature + Gumbel(seed, position, token), with the candidates cut first to the topK best (0: all), then
/// to the smallest set of probability >= topP. The Gumbel noise is a counter-based hash (exec/sampling.h), so every
/// executor draws the same token from the same logits.
struct Sampling {
    float temperature = 0.0f;
    uint32_t topK = 0;
    float topP = 1.0f;
    uint64_t seed = 0;
};

/// How tokens are drafted that a step then verifies beside its own: not at all, or from earlier text that went on as
/// the text does now. Tokens and their log-probabilities are the same bits either way.
enum class Speculation : uint8_t { off, promptLookup };

/// One sequence to run to its end. `tokens` is the whole prompt; the first `reused` of them are already in the slot's
/// KV cache (reused < tokens.size(): the last prompt token is always run, its logits give the first new token).
struct SequenceJob {
    uint32_t slot = 0;
    uint32_t reused = 0;
    std::span<const int32_t> tokens;
    uint32_t maxTokens = 0;
    std::span<const int32_t> stopTokens;
    Sampling sampling;
    Speculation speculation = Speculation::off; ///< of greedy requests, by executors that speculate
    /// Stop before a token whose probability (temperature 1) is below this; 0 for never.
    float minProbability = 0.0f;
    const std::atomic<bool> *cancel = nullptr;
};

struct GeneratedToken {
    int32_t token;
    float logprob; ///< natural log of its probability at temperature 1 over the whole vocabulary
};

enum class StopReason : uint8_t { stopToken, maxTokens, contextFull, minProbability, cancelled };

struct SequenceResult {
    StopReason stop = StopReason::maxTokens;
    uint32_t prefilled = 0; ///< prompt tokens run (not reused)
    uint32_t generated = 0; ///< tokens given to the sink; a stop token is not given
    /// Tokens whose keys and values the slot now holds: prompt and generated tokens that were run.
    uint32_t cached = 0;
    uint32_t drafted = 0;          ///< tokens verified by speculation
    uint32_t accepted = 0;         ///< of these, what came out so: steps saved
    double timeToFirstToken = 0.0; ///< seconds from the start of run()
    double decodeSeconds = 0.0;    ///< from the first token to the end
};

/// A run that could not be finished: a wait that expired (names the edge), a device that failed. Other slots stay
/// valid.
class ExecutionError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A lane of the model needs more than one workgroup of the device has; a lane of a model cut into more may not.
class LaneTooWideError : public ExecutionError {
public:
    using ExecutionError::ExecutionError;
};

/// Runs whole sequences over a plan on one kind of hardware. One call of run() at a time, from one thread.
class Executor {
public:
    virtual ~Executor() = default;

    /// For people, for example "cpu: 2 threads, AVX-512 BF16, bf16 weights".
    virtual std::string description() const = 0;
    virtual uint32_t slotCount() const = 0;
    /// Tokens a slot can hold.
    virtual uint32_t contextLength() const = 0;
    virtual uint64_t memoryBytes() const = 0;
    /// GPUs that the model is on.
    virtual uint32_t gpuCount() const { return 0; }
    /// Whether SequenceJob::speculation is followed; else decoding is plain.
    virtual bool speculates() const { return false; }

    /// Prefill, decode, head, sampling and stop check of one sequence. `sink` gets each token as it is made (on the
    /// calling thread for the CPU executor). Cancellation takes effect within one token. Throws ExecutionError.
    virtual SequenceResult run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink) = 0;

    /// Logits after each position in `positions` (ascending) of `tokens`, [positions, vocabulary], through the same
    /// kernels as run(); `stepWidth` tokens a pass (1: all by the decode path). Overwrites `slot`.
    virtual std::vector<float> logits(uint32_t slot, std::span<const int32_t> tokens,
                                      std::span<const uint32_t> positions, uint32_t stepWidth) = 0;
};

} // namespace monokernel
