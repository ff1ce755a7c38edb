#include "engine/gpu_shares.h"

#include "exec/executor.h"
#include "model/model_error.h"

#include <algorithm>
#include <exception>
#include <vector>

namespace monokernel {

namespace {

constexpr uint32_t mostLanesADevice = 8;

/// Twice as many devices read a plain transformer's layer in half the time, and exchange its sums twice in it. Measured
/// on two H200s: a layer of 466 MB takes 85 instead of 131 us, from which follows that 53 MB are as fast on one.
constexpr uint64_t bytesWorthHalving = 64ull << 20;

uint64_t layerBytes(const ModelSpec &spec) {
    const uint64_t queries = uint64_t{spec.headCount} * spec.headDim, keys = uint64_t{spec.kvHeadCount} * spec.headDim;
    return 2 * uint64_t{spec.hiddenSize} * (2 * queries + 2 * keys + 3 * uint64_t{spec.ffnSize});
}

/// How many devices a model is fastest on, of up to `most`.
uint32_t fastestCount(const ModelSpec &spec, uint32_t most, bool linked) {
    if (spec.laneCount > 1) {
        return most;
    }
    uint32_t count = 1;
    while (linked && count < most && layerBytes(spec) / count >= bytesWorthHalving) {
        count *= 2;
    }
    return count;
}

/// How many devices to try, the best choice first: the fastest, then more, where a model may fit, then fewer.
std::vector<uint32_t> deviceCounts(const ModelSpec &spec, const GpusFound &found) {
    std::vector<uint32_t> counts;
    for (uint32_t count = 1; count <= found.count; count *= 2) {
        if (spec.laneCount == 1 || spec.laneCount % count == 0) {
            counts.push_back(count);
        }
    }
    if (!counts.empty()) {
        const auto fewer = std::ranges::find(counts, fastestCount(spec, counts.back(), found.linked));
        std::reverse(counts.begin(), fewer);
        std::rotate(counts.begin(), fewer, counts.end());
    }
    return counts;
}

} // namespace

bool makeFirstThatFits(const ModelSpec &spec, const GpusFound &found,
                       const std::function<void(const GpuShare &)> &make) {
    std::exception_ptr failure;
    bool tooWide = true;
    for (uint32_t lanes = 1; tooWide && lanes <= (spec.laneCount == 1 ? mostLanesADevice : 1); lanes *= 2) {
        tooWide = false;
        for (const uint32_t devices : deviceCounts(spec, found)) {
            try {
                make({devices, lanes});
                return true;
            } catch (const ModelError &) {
                failure = devices == 1 ? std::current_exception() : failure;
            } catch (const ExecutionError &error) {
                tooWide |= dynamic_cast<const LaneTooWideError *>(&error) != nullptr;
                failure = devices == 1 && lanes == 1 ? std::current_exception() : failure;
            }
        }
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
    return false;
}

} // namespace monokernel
