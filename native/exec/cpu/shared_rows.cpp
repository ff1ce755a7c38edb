#include "exec/cpu/shared_rows.h"

#include <algorithm>

namespace monokernel::cpu {

namespace {

/// The largest depth of the weights.
uint32_t deepest(const ModelSpec &spec) {
    return std::max({spec.hiddenSize, spec.headsPerLane() * spec.headDim, spec.ffnPerLane()});
}

PageMemory forLanes(const ModelSpec &spec, size_t bytes) {
    return {spec.laneCount * bytes, PageMemory::Pages::ordinary};
}

} // namespace

SharedRows::SharedRows(const ModelSpec &spec, uint32_t maxTokens, uint32_t hiddenWidth)
    : laneFloats_(size_t{maxTokens} * hiddenWidth),
      operandBytes_(roundUp(size_t{maxTokens} * operandStride(deepest(spec)), 64)),
      streams_(forLanes(spec, laneFloats_ * sizeof(float))), normalized_(forLanes(spec, laneFloats_ * sizeof(float))),
      operands_(forLanes(spec, operandBytes_)) {}

} // namespace monokernel::cpu
