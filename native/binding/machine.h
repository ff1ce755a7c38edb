#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

namespace monokernel::binding {

/// The CPU: {name, cores: {processor, package, node, used, worker?}[], caches: {level, type, bytes, count, sharedBy}[],
/// nodes: {index, memoryBytes}[]}. A core has the worker of `workers` (0: one for each core) that an engine would pin
/// to it.
Napi::Object cpuToJs(Napi::Env env, uint32_t workers);

/// The usable GPUs: {target, name, driver, index, computeUnits, memoryBytes, computeDies, homes, stacksPerHome,
/// calibration?: {period, homes, confidence, localNanoseconds, remoteNanoseconds, pages, reason}}[]. `reason` gets what
/// was looked for, a line each, and what is wrong with a calibration that is not used.
Napi::Array gpusToJs(Napi::Env env, std::string &reason);

} // namespace monokernel::binding
