#include "engine/gpu_shares.h"

#include "exec/executor.h"
#include "model/model_error.h"

#include <algorithm>
#include <exception>
#include <vector>

namespace monokernel {

namespace {

constexpr uint32_t mostLanesADevice = 8;

/// How many devices to try, the best choice first.
std::vector<uint32_t> deviceCounts(const ModelSpec &spec, size_t found) {
    std::vector<uint32_t> counts;
    for (uint32_t count = 1; count <= found; count *= 2) {
        if (spec.laneCount == 1 || spec.laneCount % count == 0) {
            counts.push_back(count);
        }
    }
    if (spec.laneCount > 1) {
        std::ranges::reverse(counts);
    }
    return counts;
}

} // namespace

bool makeFirstThatFits(const ModelSpec &spec, size_t found, const std::function<void(const GpuShare &)> &make) {
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
