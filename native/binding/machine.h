#pragma once

#include <napi.h>

#include <string>

namespace monokernel::binding {

/// The CPU: {name, cores: {processor, package, node, used}[], caches: {level, type, bytes, count, sharedBy}[], nodes:
/// {index, memoryBytes}[]}.
Napi::Object cpuToJs(Napi::Env env);

/// The usable GPUs: {target, name, driver, index, computeUnits, memoryBytes, computeDies, homes, stacksPerHome,
/// calibration?: {period, homes, confidence, localNanoseconds, remoteNanoseconds, pages, reason}}[]. `reason` gets what
/// was looked for, a line each, and what is wrong with a calibration that is not used.
Napi::Array gpusToJs(Napi::Env env, std::string &reason);

} // namespace monokernel::binding
