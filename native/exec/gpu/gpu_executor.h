#pragma once

#include "exec/executor.h"
#include "model/model.h"
#include "topology/page_map.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace monokernel {

struct GpuDevice {
    std::string target; ///< which kernel it runs: "gfx942", "sm_90" or "sm_80"
    std::string name;
    uint32_t index = 0;
    uint32_t computeUnits = 0;
    uint64_t memoryBytes = 0;
    std::string driver;       ///< the driver's version, for example "12.8"
    uint32_t sharedBytes = 0; ///< shared memory a workgroup may have; 0: what all devices of the target have
    bool linked = false;      ///< reaches all others of its name by links of their own: NVLink, xGMI
    bool watched = false;     ///< a display hangs on it, and the system ends launches that last some seconds
};

/// Devices that the shipped kernels run on, found through the drivers (libamdhip64, libcuda) by dlopen. `why` says, for
/// the log, what was looked for and why something was not usable.
std::vector<GpuDevice> findGpuDevices(std::string &why);

/// Devices that can share a model.
constexpr uint32_t maxGpuDevices = 8;

class GpuDriver;

/// Which pages of the devices' memory are near which of their dies.
struct PageHomes {
    PageMap map; ///< at some rotation
    /// The map of an allocation (address, bytes), the identity where that is not certain. Without it nothing is placed;
    /// not asked where `map` is the identity.
    std::function<PageMap(GpuDriver &, uint64_t, uint64_t)> locate;
};

struct GpuOptions {
    std::filesystem::path kernelFolder; ///< holds monokernel.gfx942.co, monokernel.sm_90.ptx and monokernel.sm_80.ptx
    uint32_t slots = 4;
    uint32_t contextLength = 0;      ///< 0: the model's limit
    uint32_t lanesADevice = 1;       ///< that a plain transformer is seen as on each
    PageHomes pageHomes;             ///< the weights are placed by it
    std::optional<bool> lanesInTurn; ///< whether a token's lanes begin in turn; by their size if absent
};

/// Uploads the weights to the devices, which share them, and loads the kernel on each. Throws ExecutionError with the
/// driver's own words, ModelError(memory) when a device is too small.
std::unique_ptr<Executor> makeGpuExecutor(std::span<const GpuDevice> devices, const Model &model,
                                          const GpuOptions &options, const std::function<void(double)> &progress);

} // namespace monokernel
