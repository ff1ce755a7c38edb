#include "exec/gpu/gpu_executor.h"

#include "exec/gpu/driver.h"
#include "exec/gpu/gpu_layout.h"
#include "exec/gpu/gpu_team.h"
#include "exec/gpu/launch_budget.h"
#include "exec/gpu/weight_upload.h"
#include "model/model_error.h"
#include "plan/plan.h"
#include "plan/tensor_parallel.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace monokernel {

namespace {

using Clock = std::chrono::steady_clock;
using kernel::Parameters;
using kernel::Result;
using Drivers = std::vector<std::unique_ptr<GpuDriver>>;

constexpr uint32_t noRow = ~0u;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// What all of the devices have: the layout is the same on each.
GpuDevice commonDevice(const Drivers &drivers) {
    GpuDevice common = drivers.front()->device();
    for (const auto &driver : drivers) {
        const GpuDevice &device = driver->device();
        if (device.target != common.target) {
            throw ExecutionError("a " + common.target + " and a " + device.target + " device cannot share a model");
        }
        common.computeUnits = std::min(common.computeUnits, device.computeUnits);
        common.memoryBytes = std::min(common.memoryBytes, device.memoryBytes);
        common.sharedBytes = std::min(common.sharedBytes, device.sharedBytes);
    }
    return common;
}

GpuLayout layOutModel(const ModelSpec &spec, const Drivers &drivers, const GpuOptions &options) {
    const auto devices = static_cast<uint32_t>(drivers.size());
    const GpuDevice device = commonDevice(drivers);
    const auto shared = [&] {
        try {
            return tensorParallel(spec, devices * options.lanesADevice);
        } catch (const std::invalid_argument &error) {
            throw ExecutionError(error.what());
        }
    };
    GpuLayout layout = layOut(makePlan(shared()), device, options, devices);
    if (device.memoryBytes != 0 && layout.totalBytes() > device.memoryBytes) {
        throw ModelError(ModelErrorCode::memory,
                         "the model needs " + std::to_string(layout.totalBytes() >> 20) + " MiB of GPU memory" +
                             (devices > 1 ? " on each device" : "") + " and " + device.name + " has " +
                             std::to_string(device.memoryBytes >> 20) + " MiB; use fewer slots or a shorter context");
    }
    return layout;
}

/// The devices with the model's weights on them.
std::vector<GpuShard> loadShards(Drivers drivers, const Model &model, const GpuLayout &layout,
                                 const GpuOptions &options, const std::function<void(double)> &progress) {
    const auto count = static_cast<uint32_t>(drivers.size());
    std::vector<GpuShard> shards;
    shards.reserve(count);
    for (uint32_t i = 0; i < count; i++) {
        shards.emplace_back(std::move(drivers[i]), layout, i, options);
    }
    for (GpuShard &shard : shards) {
        shard.connect(shards);
    }
    for (uint32_t i = 0; i < count; i++) {
        uploadWeights(shards[i], layout, model, [&](double fraction) {
            if (progress) {
                progress((i + fraction) / count);
            }
        });
    }
    return shards;
}

/// Runs requests on one device or on several that share the model, one kernel launch a device for each.
class GpuExecutor final : public Executor {
public:
    GpuExecutor(Drivers drivers, const Model &model, const GpuOptions &options,
                const std::function<void(double)> &progress)
        : layout_(layOutModel(model.spec(), drivers, options)),
          budget_(std::ranges::any_of(drivers, [](const auto &driver) { return driver->device().watched; })),
          team_(loadShards(std::move(drivers), model, layout_, options, progress)) {}

    std::string description() const override {
        const GpuDevice &device = team_.shards().front().device();
        const size_t devices = team_.shards().size();
        const std::string count = devices > 1 ? std::to_string(devices) + " x " : "";
        return device.target + ": " + count + device.name + ", " + std::to_string(parameters().workgroups) +
               " workgroups" + (devices > 1 ? " each" : "") + ", bf16 weights" + placement();
    }
    uint32_t gpuCount() const override { return static_cast<uint32_t>(team_.shards().size()); }
    uint32_t slotCount() const override { return layout_.slots; }
    uint32_t contextLength() const override { return parameters().context; }
    uint64_t memoryBytes() const override { return layout_.totalBytes() * team_.shards().size(); }

    SequenceResult run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink) override {
        const auto start = Clock::now();
        const uint32_t prompt = static_cast<uint32_t>(job.tokens.size());
        checkRequest(job.slot, job.tokens);
        if (job.reused >= prompt) {
            throw ExecutionError("a request must leave at least its last prompt token to run");
        }
        if (job.stopTokens.size() > layout_.stopCapacity) {
            throw ExecutionError("more than " + std::to_string(layout_.stopCapacity) + " stop tokens");
        }
        SequenceResult result;
        if (job.maxTokens == 0) {
            result.cached = job.reused;
            return result;
        }
        if (!job.stopTokens.empty()) {
            for (GpuShard &shard : team_.shards()) {
                shard.upload(shard.parameters().stopTokens, std::as_bytes(job.stopTokens));
            }
        }
        const uint32_t room = parameters().context - prompt + 1, wanted = std::min(job.maxTokens, room);
        std::vector<int32_t> known(job.tokens.begin(), job.tokens.end()); // the prompt, and what came after it
        known.reserve(known.size() + wanted);
        Clock::time_point first = start;
        const auto give = [&](GeneratedToken token) {
            if (result.generated++ == 0) {
                first = Clock::now();
                result.timeToFirstToken = std::chrono::duration<double>(first - start).count();
            }
            known.push_back(token.token);
            sink(token);
        };
        Result end{.cached = job.reused};
        for (bool more = true; more;) {
            const LaunchPart part = budget_.next(static_cast<uint32_t>(known.size()) - end.cached,
                                                 wanted - result.generated, kernel::maxPrefillTokens);
            end = runPart(job, known, end.cached, part, give);
            more = part.newTokens == 0 ? end.stop != kernel::stopCancelled
                                       : end.stop == kernel::stopMaxTokens && result.generated < wanted;
        }
        result.decodeSeconds = result.generated > 0 ? secondsSince(first) : 0.0;
        result.stop = stopReason(end.stop, job.maxTokens > room);
        result.prefilled = std::min(end.cached, prompt) - job.reused;
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
    /// Whether the weights lie near the dies that read them, for people.
    std::string placement() const {
        const auto placed = static_cast<size_t>(
            std::ranges::count_if(team_.shards(), [](const GpuShard &shard) { return !shard.pageMap().isIdentity(); }));
        if (placed == 0) {
            return layout_.pageMap.isIdentity() ? "" : " not placed by die (where their memory begins is not certain)";
        }
        return placed == team_.shards().size()
                   ? " near the dies that read them"
                   : " near the dies that read them on " + std::to_string(placed) + " of the devices";
    }

    const Parameters &parameters() const { return team_.parameters(); }

    void checkRequest(uint32_t slot, std::span<const int32_t> tokens) const {
        const Parameters &p = parameters();
        if (slot >= layout_.slots || tokens.empty() || tokens.size() > p.context) {
            throw ExecutionError("a request of " + std::to_string(tokens.size()) + " tokens in slot " +
                                 std::to_string(slot) + " does not fit: there are " + std::to_string(layout_.slots) +
                                 " slots of " + std::to_string(p.context) + " tokens");
        }
        for (const int32_t token : tokens) {
            if (token < 0 || static_cast<uint32_t>(token) >= p.vocabulary) {
                throw ExecutionError("token " + std::to_string(token) + " is outside the vocabulary of " +
                                     std::to_string(p.vocabulary));
            }
        }
    }

    static kernel::Sampler samplerOf(const SequenceJob &job) {
        return {job.sampling.seed, std::max(0.0f, job.sampling.temperature), job.sampling.topP, job.sampling.topK,
                job.minProbability > 0.0f ? std::log(job.minProbability) : -3.0e38f};
    }

    /// One launch, from position `cached` of the known tokens on. What a launch without tokens to generate draws, as
    /// every launch does, is not looked at.
    Result runPart(const SequenceJob &job, std::span<const int32_t> known, uint32_t cached, const LaunchPart &part,
                   const std::function<void(GeneratedToken)> &give) {
        const GpuRequest request{.slot = job.slot,
                                 .firstPosition = cached,
                                 .promptLength = cached + part.promptTokens,
                                 .maxTokens = std::max(1u, part.newTokens),
                                 .stopCount = static_cast<uint32_t>(job.stopTokens.size()),
                                 .sampler = samplerOf(job)};
        for (GpuShard &shard : team_.shards()) {
            shard.upload(shard.parameters().tokens, std::as_bytes(known.first(request.promptLength)));
        }
        const auto start = Clock::now();
        const uint32_t tagBase = team_.begin(request, uint64_t{part.promptTokens} + request.maxTokens);
        Clock::time_point first{};
        team_.awaitEnd(request, tagBase, job.cancel, [&](GeneratedToken token, uint32_t index) {
            first = index == 0 ? Clock::now() : first;
            if (part.newTokens > 0) {
                give(token);
            }
        });
        const Result end = team_.finish(tagBase);
        // Of full steps alone: others take less.
        const uint32_t steps = end.stop != kernel::stopCancelled ? part.promptTokens / kernel::maxPrefillTokens : 0;
        const double all = secondsSince(start), decode = end.generated > 1 ? secondsSince(first) : 0.0;
        budget_.ran(steps, all - decode, end.generated > 1 ? end.generated - 1 : 0, decode);
        return end;
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
        for (GpuShard &shard : team_.shards()) {
            shard.upload(shard.parameters().tokens, std::as_bytes(tokens.first(count)));
            shard.upload(shard.parameters().wanted, std::as_bytes(std::span(wanted)));
        }
        const GpuRequest request{.slot = slot,
                                 .promptLength = count,
                                 .maxTokens = 1,
                                 .stepWidth = std::clamp(stepWidth, 1u, kernel::maxPrefillTokens),
                                 .logits = true};
        const uint32_t tagBase = team_.begin(request, uint64_t{count} + 1);
        team_.awaitEnd(request, tagBase, nullptr, [](GeneratedToken, uint32_t) {});
        team_.finish(tagBase);
        std::vector<float> values(positions.size() * parameters().vocabulary);
        team_.shards().front().download(std::as_writable_bytes(std::span(values)), parameters().logitsOut);
        return values;
    }

    GpuLayout layout_;
    LaunchBudget budget_;
    GpuTeam team_;
};

} // namespace

std::unique_ptr<Executor> makeGpuExecutor(std::vector<std::unique_ptr<GpuDriver>> drivers, const Model &model,
                                          const GpuOptions &options, const std::function<void(double)> &progress) {
    return std::make_unique<GpuExecutor>(std::move(drivers), model, options, progress);
}

std::unique_ptr<Executor> makeGpuExecutor(std::unique_ptr<GpuDriver> driver, const Model &model,
                                          const GpuOptions &options, const std::function<void(double)> &progress) {
    Drivers one;
    one.push_back(std::move(driver));
    return makeGpuExecutor(std::move(one), model, options, progress);
}

std::unique_ptr<Executor> makeGpuExecutor(std::span<const GpuDevice> devices, const Model &model,
                                          const GpuOptions &options, const std::function<void(double)> &progress) {
    Drivers drivers;
    for (const GpuDevice &device : devices) {
        drivers.push_back(openGpuDriver(device));
    }
    return makeGpuExecutor(std::move(drivers), model, options, progress);
}

} // namespace monokernel
