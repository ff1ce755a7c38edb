#include "exec/cpu/cpu_executor.h"

#include "exec/cpu/cpu_cores.h"
#include "exec/cpu/cpu_features.h"
#include "exec/cpu/decode_loop.h"
#include "exec/cpu/weight_prefetch.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace monokernel {

namespace cpu {

namespace {

/// Most tokens of a prefill step: enough to use each panel many times. Measured on a prompt of 512 tokens of a 31 M
/// Llama shape with 2 threads: 64 instead of 32 makes it 15 to 20 % faster, 128 instead of 64 another 10 %, 256 instead
/// of 128 another 2 %, and 6 % for 110 M.
constexpr uint32_t mostPrefillTokens = 256;
constexpr uint32_t fewestPrefillTokens = 32;

/// Part of what weights and cache take that a step's buffers may take too.
constexpr uint64_t activationsPart = 15;

/// How long a worker may keep the others waiting.
constexpr std::chrono::seconds longestWait{10};

const char *formatName(WeightFormat format) {
    switch (format) {
    case WeightFormat::bf16:
        return "bf16";
    case WeightFormat::f16:
        return "f16";
    case WeightFormat::f32:
        return "f32";
    case WeightFormat::int8:
        return "int8";
    }
    return "";
}

uint32_t checkedContext(const ModelSpec &spec, uint32_t wanted) {
    if (wanted > spec.maxPositions) {
        throw std::invalid_argument("context length " + std::to_string(wanted) + " is more than the model's " +
                                    std::to_string(spec.maxPositions));
    }
    return wanted == 0 ? spec.maxPositions : wanted;
}

/// The buffers of a step: for fewer tokens where lanes, each of which has its own, would need too much memory. Those
/// that are tried and too large were never touched, so they cost none.
Activations makeActivations(const ModelSpec &spec, uint32_t contextLength, uint64_t weightsAndCache) {
    uint32_t tokens = mostPrefillTokens;
    while (true) {
        Activations activations(spec, std::min(tokens, contextLength), contextLength);
        if (tokens == fewestPrefillTokens || activations.bytes() <= weightsAndCache / activationsPart) {
            return activations;
        }
        tokens /= 2;
    }
}

CpuOptions checked(const CpuOptions &options) {
    constexpr uint32_t mostThreads = 1024, mostSlots = 1024;
    if (options.threads > mostThreads) {
        throw std::invalid_argument("at most " + std::to_string(mostThreads) + " threads, not " +
                                    std::to_string(options.threads));
    }
    if (options.slots == 0 || options.slots > mostSlots) {
        throw std::invalid_argument("slots must be 1 to " + std::to_string(mostSlots) + ", not " +
                                    std::to_string(options.slots));
    }
    return options;
}

class CpuExecutor final : public Executor {
public:
    CpuExecutor(const Model &model, const CpuOptions &options, const std::function<void(double)> &progress)
        : slots_(checked(options).slots), contextLength_(checkedContext(model.spec(), options.contextLength)),
          set_(findInstructionSet(options.instructionSet)), plan_(makePlan(model.spec())),
          pool_(options.threads, spreadOverCaches(usableCores(), options.threads)),
          weights_(model, options.int8, pool_, progress),
          cache_(model.spec(), slots_, contextLength_, set_.kernels->cacheFormat),
          activations_(makeActivations(model.spec(), contextLength_, weights_.bytes() + cache_.bytes())),
          sharedRows_(model.spec(), activations_.maxTokens(), activations_.hiddenWidth()),
          progress_(pool_.size(), longestWait, pool_.crowded()),
          takenUnits_(static_cast<uint32_t>(plan_.phases.size()), pool_.size()),
          workerCount_(options.workerCount ? options.workerCount : makeAdaptiveWorkerCount(pool_.size())),
          resources_{.plan = plan_,
                     .weights = weights_,
                     .kernels = *set_.kernels,
                     .cache = cache_,
                     .activations = activations_,
                     .sharedRows = sharedRows_,
                     .progress = progress_,
                     .takenUnits = takenUnits_,
                     .asksAhead = asksForWeightsAhead(readCpuTopology({}), weights_.bytesPerToken())},
          team_(pool_, resources_, plan_.phases.back().writes, *workerCount_),
          loop_(resources_, team_, contextLength_, options.draftAlways) {
        reserveLogits(1);
    }

    ~CpuExecutor() override { pool_.stop(); } // before what a late worker still uses

    std::string description() const override {
        const std::string threads = pool_.size() == 1 ? "1 thread" : std::to_string(pool_.size()) + " threads";
        return "cpu: " + threads + ", " + std::string(set_.title) + ", " + formatName(weights_.head().format) +
               " weights";
    }
    uint32_t slotCount() const override { return slots_; }
    uint32_t contextLength() const override { return contextLength_; }
    uint64_t memoryBytes() const override {
        return weights_.bytes() + cache_.bytes() + activations_.bytes() + loop_.speculationBytes();
    }
    bool speculates() const override { return true; }

    SequenceResult run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink) override {
        check(job.slot, job.tokens);
        if (job.reused >= job.tokens.size()) {
            throw std::invalid_argument("a sequence needs at least one token that is not reused");
        }
        reserveLogits(cpu::DecodeLoop::logitRows(job));
        tokens_.assign(job.tokens.begin(), job.tokens.end());
        SequenceJob own = job;
        own.tokens = tokens_;
        lead([&] { loop_.run(own, sink); });
        return loop_.result();
    }

    std::vector<float> logits(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> positions,
                              uint32_t stepWidth) override {
        check(slot, tokens);
        if (!std::is_sorted(positions.begin(), positions.end()) ||
            (!positions.empty() && positions.back() >= tokens.size())) {
            throw std::invalid_argument("positions must be ascending and within the tokens");
        }
        const uint32_t width = std::clamp(stepWidth, 1u, activations_.maxTokens());
        std::vector<float> out(positions.size() * weights_.spec().vocabularySize);
        reserveLogits(width);
        tokens_.assign(tokens.begin(), tokens.end());
        lead([&] { loop_.runLogits(slot, tokens_, positions, width, out); });
        return out;
    }

private:
    void check(uint32_t slot, std::span<const int32_t> tokens) const {
        if (slot >= slots_) {
            throw std::invalid_argument("there is no slot " + std::to_string(slot));
        }
        if (tokens.empty() || tokens.size() > contextLength_) {
            throw std::invalid_argument("a sequence of " + std::to_string(tokens.size()) +
                                        " tokens does not fit into " + std::to_string(contextLength_));
        }
        const auto size = static_cast<int32_t>(weights_.spec().vocabularySize);
        for (const int32_t token : tokens) {
            if (token < 0 || token >= size) {
                throw std::invalid_argument("token " + std::to_string(token) + " is not in the vocabulary of " +
                                            std::to_string(size));
            }
        }
    }

    void reserveLogits(uint32_t tokens) {
        activations_.logits.resize(size_t{tokens} * weights_.spec().vocabularySize);
        activations_.summaries.resize(size_t{tokens} * weights_.head().panels.size());
    }

    void lead(const std::function<void()> &body) {
        if (!team_.lead(body)) {
            throw ExecutionError(expiryMessage());
        }
    }

    std::string expiryMessage() const {
        return "worker " + std::to_string(progress_.expiredWorker()) + " of " + std::to_string(pool_.size()) +
               " did not deliver " + plan_.edges[progress_.expiredEdge()].name() + " within " +
               std::to_string(longestWait.count()) + " s; the machine may be overloaded, try fewer threads";
    }

    const uint32_t slots_, contextLength_;
    const InstructionSet &set_;
    const Plan plan_;
    WorkerPool pool_;
    const Weights weights_;
    KvCache cache_;
    Activations activations_;
    SharedRows sharedRows_;
    Progress progress_;
    TakenUnits takenUnits_;
    const std::shared_ptr<WorkerCountPolicy> workerCount_;
    const StepResources resources_;
    StepTeam team_;
    DecodeLoop loop_;
    std::vector<int32_t> tokens_; ///< of the running request: a late worker may still look at them
};

} // namespace

} // namespace cpu

std::unique_ptr<Executor> makeCpuExecutor(const Model &model, const CpuOptions &options,
                                          const std::function<void(double)> &progress) {
    return std::make_unique<cpu::CpuExecutor>(model, options, progress);
}

} // namespace monokernel
