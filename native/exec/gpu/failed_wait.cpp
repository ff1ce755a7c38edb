#include "exec/gpu/failed_wait.h"

#include "kernel/parameters.h"

namespace monokernel {

namespace {

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

} // namespace

FailedWait readFailedWait(uint64_t word) {
    return {.edge = static_cast<uint32_t>(word >> 48) & 0x7fff,
            .layer = static_cast<uint32_t>(word >> 32) & 0xffff,
            .device = static_cast<uint32_t>(word >> 16) & 0xffff,
            .workgroup = static_cast<uint32_t>(word) & 0xffff};
}

std::string describe(const FailedWait &wait, const std::string &deviceName) {
    return "workgroup " + std::to_string(wait.workgroup) + " of " + deviceName + " waited in vain for " +
           edgeName(wait.edge) + " (layer " + std::to_string(wait.layer) + ")";
}

} // namespace monokernel
