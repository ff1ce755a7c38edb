#pragma once

#include "engine/engine.h"

#include <memory>
#include <string>

namespace monokernel {

/// An engine over any executor: one thread, requests in order of arrival, KV slots reused by common prefix.
std::unique_ptr<Engine> makeSerialEngine(ModelSpec spec, std::unique_ptr<Executor> executor, std::string deviceReason);

} // namespace monokernel
