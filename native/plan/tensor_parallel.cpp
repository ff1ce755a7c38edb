#include "plan/tensor_parallel.h"

#include <stdexcept>
#include <string>

namespace monokernel {

namespace {

void requireShares(uint32_t count, uint32_t ways, const char *what) {
    if (count % ways != 0) {
        throw std::invalid_argument(std::to_string(count) + " " + what + " cannot be shared out evenly to " +
                                    std::to_string(ways) + " lanes");
    }
}

} // namespace

ModelSpec tensorParallel(const ModelSpec &spec, uint32_t ways) {
    if (ways == 1 || spec.laneCount > 1) {
        return spec;
    }
    requireShares(spec.headCount, ways, "attention heads");
    requireShares(spec.kvHeadCount, ways, "key and value heads");
    requireShares(spec.ffnSize, ways, "feed-forward rows");
    ModelSpec shared = spec;
    shared.laneCount = ways;
    shared.broadcastDelay = 0;
    shared.useComm = true;
    shared.useEarlyComm = true;
    shared.headType = HeadType::vocabularyParallel;
    return shared;
}

} // namespace monokernel
