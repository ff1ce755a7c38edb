#pragma once

#include "model/model_spec.h"

#include <cstddef>
#include <cstdint>
#include <functional>

namespace monokernel {

/// How a model is shared out to GPUs.
struct GpuShare {
    uint32_t devices;
    uint32_t lanesADevice; ///< that a plain transformer is seen as
};

/// Devices of one kind.
struct GpusFound {
    size_t count;
    bool linked; ///< they reach each other's memory by links of their own
};

/// Calls make(share) with one share after the other, the best choice first, until one does not throw. A Laneformer's
/// lanes are made for several devices: as many of the `found` ones as have whole lanes. A plain transformer gets
/// several where they are linked and its layers are large enough to gain by it, or where it does not fit on fewer, and
/// several lanes a device only where one is too wide for all of them. False if no device was found; if all shares fail,
/// throws what one device did, that it has too little memory before anything else.
bool makeFirstThatFits(const ModelSpec &spec, const GpusFound &found,
                       const std::function<void(const GpuShare &)> &make);

} // namespace monokernel
