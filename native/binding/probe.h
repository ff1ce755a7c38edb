#pragma once

#include <napi.h>

namespace monokernel::binding {

/// What this machine can run: {version, instructionSets: string[], cpu, gpuDevices, gpuReason}, the machine's parts as
/// in machine.h, for a number of CPU workers as text (0 or none: one for each core). Touches the drivers, so a broken
/// one shows here; call it in a child process first.
Napi::Value probe(const Napi::CallbackInfo &info);

} // namespace monokernel::binding
