#include "exec/gpu/gpu_executor.h"

#include "exec/gpu/cuda_driver.h"
#include "exec/gpu/driver.h"
#include "exec/gpu/gpu_layout.h"
#include "exec/gpu/hip_driver.h"
#include "exec/gpu/weight_upload.h"
#include "model/model_error.h"
#include "plan/plan.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

namespace monokernel {

namespace {

using Clock = std::chrono::steady_clock;
using kernel::Parameters;
using kernel::Result;

constexpr uint32_t noRow = ~0u;
constexpr uint64_t cancelOffset = 64, ringOffset = 128, ringEntryBytes = 16;
constexpr auto pollPause = std::chrono::microseconds(20);

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

const char *edgeName(uint32_t edge) {
    switch (edge) {
    case kernel::waitNormed:
        return "normed input";
    case kernel::waitCache:
        return "key and value cache";
    case kernel::waitQueryKeyValue:
        return "query, key and value";
    case kernel::waitAttention:
        return "attention";
    case kernel::waitAttentionPartial:
        return "attention output";
    case kernel::waitActivation:
        return "feed-forward activation";
    case kernel::waitFfnPartial:
        return "feed-forward output";
    case kernel::waitLaneSum:
        return "sum over lanes";
    case kernel::waitHeadInput:
        return "head input";
    case kernel::waitSummary:
        return "step summary";
    case kernel::waitLogits:
        return "logits";
    case kernel::waitPlacement:
        return "placement of workgroups";
    default:
        return "unknown";
    }
}

template <class T> T readPinned(const std::byte *at) {
    return std::atomic_ref<const T>(*reinterpret_cast<const T *>(at)).load(std::memory_order_acquire);
}

/// Runs requests on one device, one kernel launch each.
class GpuExecutor final : public Executor {
public:
    GpuExecutor(std::unique_ptr<GpuDriver> driver, const Model &model, const GpuOptions &options,
                const std::function<void(double)> &progress)
        : driver_(std::move(driver)), layout_(layOut(makePlan(model.spec()), driver_->device(), options)),
          parameters_(layout_.parameters) {
        const GpuDevice &device = driver_->device();
        if (device.memoryBytes != 0 && layout_.totalBytes > device.memoryBytes) {
            throw ModelError(ModelErrorCode::memory, "the model needs " + std::to_string(layout_.totalBytes >> 20) +
                                                         " MiB of GPU memory and " + device.name + " has " +
                                                         std::to_string(device.memoryBytes >> 20) +
                                                         " MiB; use fewer slots or a shorter context");
        }
        driver_->loadKernel(options.kernelFolder / layout_.target.file);
        base_ = driver_->allocate(layout_.totalBytes);
        rebase(layout_.parameters, base_);
        parameters_ = layout_.parameters;
        pinned_ = driver_->allocatePinned(ringOffset + (layout_.tokenCapacity + 1) * ringEntryBytes);
        parameters_.result = pinned_.device;
        parameters_.cancel = pinned_.device + cancelOffset;
        parameters_.ring = pinned_.device + ringOffset;
        uploadWeights(*driver_, layout_, model, progress);
        clearEdges();
    }

    std::string description() const override {
        return driver_->device().target + ": " + driver_->device().name + ", " +
               std::to_string(parameters_.workgroups) + " workgroups, bf16 weights";
    }
    uint32_t slotCount() const override { return layout_.slots; }
    uint32_t contextLength() const override { return parameters_.context; }
    uint64_t memoryBytes() const override { return layout_.totalBytes; }

    SequenceResult run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink) override {
        const auto start = Clock::now();
        const uint32_t prompt = static_cast<uint32_t>(job.tokens.size());
        checkRequest(job.slot, job.tokens);
        if (job.reused >= prompt) {
            throw ExecutionError("a request must leave at least its last prompt token to run");
        }
        const uint32_t room = parameters_.context - prompt + 1;
        Parameters p = parameters_;
        p.slot = job.slot;
        p.firstPosition = job.reused;
        p.promptLength = prompt;
        p.maxTokens = std::min(job.maxTokens, room);
        p.wanted = 0;
        setSampling(p, job);
        driver_->upload(p.tokens, std::as_bytes(job.tokens));
        uploadStopTokens(p, job.stopTokens);
        SequenceResult result;
        if (job.maxTokens == 0) {
            result.cached = job.reused;
            return result;
        }
        begin(p, prompt - job.reused + p.maxTokens);
        driveRequest(p, job, sink, start, result);
        const Result end = finish(p);
        result.stop = stopReason(end.stop, job.maxTokens > room);
        result.prefilled = end.prefilled;
        result.generated = end.generated;
        result.cached = end.cached;
        return result;
    }

    std::vector<float> logits(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> positions,
                              uint32_t stepWidth) override {
        checkRequest(slot, tokens);
        std::vector<float> all;
        for (size_t first = 0; first < positions.size(); first += layout_.logitsCapacity) {
            const size_t count = std::min<size_t>(layout_.logitsCapacity, positions.size() - first);
            const std::vector<float> part = logitsOf(slot, tokens, positions.subspan(first, count), stepWidth);
            all.insert(all.end(), part.begin(), part.end());
        }
        return all;
    }

private:
    void checkRequest(uint32_t slot, std::span<const int32_t> tokens) const {
        if (slot >= layout_.slots || tokens.empty() || tokens.size() > parameters_.context) {
            throw ExecutionError("a request of " + std::to_string(tokens.size()) + " tokens in slot " +
                                 std::to_string(slot) + " does not fit: there are " + std::to_string(layout_.slots) +
                                 " slots of " + std::to_string(parameters_.context) + " tokens");
        }
        for (const int32_t token : tokens) {
            if (token < 0 || static_cast<uint32_t>(token) >= parameters_.vocabulary) {
                throw ExecutionError("token " + std::to_string(token) + " is outside the vocabulary of " +
                                     std::to_string(parameters_.vocabulary));
            }
        }
    }

    static void setSampling(Parameters &p, const SequenceJob &job) {
        p.sampler.seed = job.sampling.seed;
        p.sampler.temperature = std::max(0.0f, job.sampling.temperature);
        p.sampler.topK = job.sampling.topK;
        p.sampler.topP = job.sampling.topP;
        p.sampler.minLogProbability = job.minProbability > 0.0f ? std::log(job.minProbability) : -3.0e38f;
    }

    void uploadStopTokens(Parameters &p, std::span<const int32_t> stopTokens) {
        if (stopTokens.size() > layout_.stopCapacity) {
            throw ExecutionError("more than " + std::to_string(layout_.stopCapacity) + " stop tokens");
        }
        p.stopCount = static_cast<uint32_t>(stopTokens.size());
        if (!stopTokens.empty()) {
            driver_->upload(p.stopTokens, std::as_bytes(stopTokens));
        }
    }

    /// All edges and tickets as new.
    void clearEdges() {
        driver_->clear(base_ + layout_.edgesBegin, layout_.edgesEnd - layout_.edgesBegin);
        nextTag_ = 1;
        launches_ = 0;
    }

    /// Starts a launch of up to `steps` steps, each with a tag of its own that no word in memory carries yet.
    void begin(Parameters &p, uint64_t steps) {
        if (nextTag_ + steps + 1 > 0xffffffffull) {
            clearEdges();
        }
        p.tagBase = static_cast<uint32_t>(nextTag_);
        p.launch = launches_++;
        nextTag_ += steps + 1;
        setCancel(0);
        driver_->launch(std::as_bytes(std::span(&p, 1)), p.workgroups, layout_.target.threads, layout_.sharedBytes);
    }

    void setCancel(uint32_t value) {
        std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t *>(pinned_.host + cancelOffset))
            .store(value, std::memory_order_release);
    }

    /// The ring's entry `index`, if this request has written it.
    bool readToken(const Parameters &p, uint32_t index, GeneratedToken &token) const {
        const std::byte *entry = pinned_.host + ringOffset + index * ringEntryBytes;
        const auto id = readPinned<uint64_t>(entry), logprob = readPinned<uint64_t>(entry + 8);
        if (id >> 32 != p.tagBase || logprob >> 32 != p.tagBase) {
            return false;
        }
        token = {static_cast<int32_t>(id), std::bit_cast<float>(static_cast<uint32_t>(logprob))};
        return true;
    }

    /// Gives tokens to the sink as they come, until the kernel has ended.
    void driveRequest(const Parameters &p, const SequenceJob &job, const std::function<void(GeneratedToken)> &sink,
                      Clock::time_point start, SequenceResult &result) {
        Clock::time_point first = start;
        uint32_t given = 0;
        bool cancelled = false;
        for (bool finished = false;;) {
            GeneratedToken token;
            while (given < p.maxTokens && readToken(p, given, token)) {
                if (given++ == 0) {
                    first = Clock::now();
                    result.timeToFirstToken = secondsSince(start);
                }
                sink(token);
            }
            if (finished) {
                break;
            }
            if (!cancelled && job.cancel != nullptr && job.cancel->load(std::memory_order_relaxed)) {
                cancelled = true;
                setCancel(1);
            }
            finished = driver_->finished();
            if (!finished) {
                std::this_thread::sleep_for(pollPause);
            }
        }
        result.decodeSeconds = given > 0 ? secondsSince(first) : 0.0;
    }

    /// The kernel's last words, once it has ended.
    Result finish(const Parameters &p) {
        Result result;
        std::memcpy(&result, pinned_.host, sizeof result);
        if (result.finishedTag == p.tagBase && result.stop != kernel::stopFailed) {
            return result;
        }
        uint64_t abort = 0;
        driver_->download(std::as_writable_bytes(std::span(&abort, 1)), p.abort);
        clearEdges();
        if (abort == 0) {
            throw ExecutionError("the GPU kernel ended without a result");
        }
        const uint32_t edge = (abort >> 48) & 0x7fff, layer = (abort >> 32) & 0xffff,
                       group = static_cast<uint32_t>(abort);
        if (edge == kernel::waitPlacement && parameters_.xccs > 1) {
            parameters_.xccs = 1; // from now on roles without regard to dies
            throw ExecutionError("the GPU's workgroups were not spread evenly over its dies; please try again");
        }
        throw ExecutionError("workgroup " + std::to_string(group) + " waited in vain for " + edgeName(edge) +
                             " (layer " + std::to_string(layer) + ")");
    }

    static StopReason stopReason(uint32_t stop, bool limitedByContext) {
        switch (stop) {
        case kernel::stopToken:
            return StopReason::stopToken;
        case kernel::stopMinProbability:
            return StopReason::minProbability;
        case kernel::stopCancelled:
            return StopReason::cancelled;
        default:
            return limitedByContext ? StopReason::contextFull : StopReason::maxTokens;
        }
    }

    std::vector<float> logitsOf(uint32_t slot, std::span<const int32_t> tokens, std::span<const uint32_t> positions,
                                uint32_t stepWidth) {
        const uint32_t count = positions.empty() ? 0 : positions.back() + 1;
        if (count == 0 || count > tokens.size()) {
            throw ExecutionError("logits wanted of a position that has no token");
        }
        std::vector<uint32_t> wanted(count, noRow);
        for (size_t i = 0; i < positions.size(); i++) {
            wanted[positions[i]] = static_cast<uint32_t>(i);
        }
        Parameters p = parameters_;
        p.slot = slot;
        p.firstPosition = 0;
        p.promptLength = count;
        p.maxTokens = 1;
        p.stopCount = 0;
        p.prefillTokens = std::clamp(stepWidth, 1u, kernel::maxPrefillTokens);
        driver_->upload(p.tokens, std::as_bytes(tokens.first(count)));
        driver_->upload(p.wanted, std::as_bytes(std::span(wanted)));
        begin(p, count + 1);
        while (!driver_->finished()) {
            std::this_thread::sleep_for(pollPause);
        }
        finish(p);
        std::vector<float> values(positions.size() * p.vocabulary);
        driver_->download(std::as_writable_bytes(std::span(values)), p.logitsOut);
        return values;
    }

    std::unique_ptr<GpuDriver> driver_;
    GpuLayout layout_;
    Parameters parameters_;
    uint64_t base_ = 0;
    PinnedMemory pinned_;
    uint64_t nextTag_ = 1;
    uint32_t launches_ = 0;
};

} // namespace

std::unique_ptr<Executor> makeGpuExecutor(std::unique_ptr<GpuDriver> driver, const Model &model,
                                          const GpuOptions &options, const std::function<void(double)> &progress) {
    return std::make_unique<GpuExecutor>(std::move(driver), model, options, progress);
}

std::unique_ptr<Executor> makeGpuExecutor(const GpuDevice &device, const Model &model, const GpuOptions &options,
                                          const std::function<void(double)> &progress) {
    std::unique_ptr<GpuDriver> driver =
        device.target == "gfx942" ? openHipDriver(device.index) : openCudaDriver(device.index);
    return makeGpuExecutor(std::move(driver), model, options, progress);
}

std::vector<GpuDevice> findGpuDevices(std::string &why) {
    std::vector<GpuDevice> devices = findHipDevices(why);
    const std::vector<GpuDevice> cuda = findCudaDevices(why);
    devices.insert(devices.end(), cuda.begin(), cuda.end());
    return devices;
}

} // namespace monokernel
