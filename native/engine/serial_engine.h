#pragma once

#include "engine/engine.h"
#include "engine/precision.h"

#include <memory>
#include <string>

namespace monokernel {

/// An engine over any executor: one thread, requests in order of arrival, KV slots reused by common prefix.
/// `deviceReason` and `precision` are only told on.
std::unique_ptr<Engine> makeSerialEngine(ModelSpec spec, std::unique_ptr<Executor> executor, std::string deviceReason,
                                         PrecisionChoice precision = {});

} // namespace monokernel
