#pragma once

#include "exec/executor.h"
#include "model/model_spec.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace monokernel {

enum class Device : uint8_t { automatic, cpu, gfx942, sm90, sm80 };

/// What the CPU engine keeps weights as: as the model's files have them (bf16, f16, f32), or in bytes with a scale for
/// 32. `automatic` decides by the weights' size.
enum class Precision : uint8_t { automatic, stored, int8 };

struct EngineOptions {
    Device device = Device::automatic;
    Precision precision = Precision::automatic; ///< CPU only: a GPU runs bf16
    uint32_t threads = 0;                       ///< CPU workers; 0: the physical cores this process may use
    uint32_t slots = 4;                         ///< KV cache sequences
    uint32_t contextLength = 0;                 ///< tokens a slot; 0: the model's limit
    std::string instructionSet;                 ///< CPU only: one of cpuInstructionSets(); empty: the best there is
    std::filesystem::path kernelFolder;         ///< where the GPU code objects lie
};

struct GenerateRequest {
    std::vector<int32_t> tokens;
    uint32_t maxTokens = 64;
    std::vector<int32_t> stopTokens;
    Sampling sampling;
    Speculation speculation = Speculation::off;
    float minProbability = 0.0f;
};

/// Why a request failed: it asks for what cannot be, the executor could not finish it, or the engine was destroyed
/// first.
enum class GenerateFailure : uint8_t { requestInvalid, executionFailed, engineClosed };

/// The failure's stable name, for example "requestInvalid".
const char *generateFailureName(GenerateFailure failure);

struct GenerateError {
    GenerateFailure failure;
    std::string message; ///< what is wrong and what to do
};

/// How a request ended. `error` is set when it failed; the engine and the other slots go on.
struct GenerateResult {
    SequenceResult sequence;
    uint32_t reused = 0;       ///< prompt tokens found in a slot
    double queueSeconds = 0.0; ///< from generate() to the start of its run
    std::optional<GenerateError> error;
};

struct EngineStatistics {
    uint64_t requests = 0, cancelled = 0, failed = 0; ///< queued so far; of these, ended in these ways
    uint64_t prefilledTokens = 0, reusedTokens = 0, generatedTokens = 0;
    uint64_t draftedTokens = 0, acceptedTokens = 0; ///< by speculation
    double prefillSeconds = 0.0, decodeSeconds = 0.0;
    uint64_t memoryBytes = 0;
};

using RequestId = uint64_t;

/// Loads a model and runs requests on it, one at a time in order of arrival, on a thread of its own. Any thread may
/// call generate(), cancel() and statistics(). Several engines may live at once.
class Engine {
public:
    /// `progress` gets 0..1 on the calling thread and may throw to give up. Throws ModelError, std::invalid_argument
    /// for options that cannot be met, ExecutionError when the device fails.
    static std::unique_ptr<Engine> load(const std::filesystem::path &folder, const EngineOptions &options,
                                        const std::function<void(double)> &progress);
    virtual ~Engine() = default; ///< cancels what runs, fails what waits, joins the thread; not from a callback

    virtual const ModelSpec &spec() const = 0;
    virtual std::string description() const = 0;
    /// Why this device runs it, for the log: what was looked for and what was not usable.
    virtual std::string deviceReason() const = 0;
    /// GPUs that the model is on; 0: the CPU runs it.
    virtual uint32_t gpuCount() const = 0;
    /// Whether the weights are kept as int8.
    virtual bool int8() const = 0;
    /// Why they are or are not, for the log.
    virtual std::string precisionReason() const = 0;
    virtual uint32_t contextLength() const = 0;
    /// Whether GenerateRequest::speculation is followed; else decoding is plain.
    virtual bool speculates() const = 0;

    /// Queues a request. `onToken` and then, exactly once, `onEnd` are called on the engine's thread; they must neither
    /// block nor throw. With maxTokens 0 the prompt is only run, so that its prefix is warm.
    virtual RequestId generate(GenerateRequest request, std::function<void(GeneratedToken)> onToken,
                               std::function<void(const GenerateResult &)> onEnd) = 0;
    /// Takes effect within one token; unknown or finished ids are ignored.
    virtual void cancel(RequestId id) = 0;
    virtual EngineStatistics statistics() const = 0;
};

} // namespace monokernel
