#pragma once

#include <napi.h>

namespace monokernel::binding {

/// calibrate(kernelFolder): measures each usable GPU's memory and keeps the results (topology/calibration_file.h).
/// Gives {gpu, name, kept, reason}[], `reason` being what was found or what went wrong; empty where there is no GPU.
/// Takes seconds and touches the drivers: call it in a child process.
Napi::Value calibrate(const Napi::CallbackInfo &info);

} // namespace monokernel::binding
