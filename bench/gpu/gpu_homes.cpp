// Which memory of each usable GPU is near which of its dies, as `npm run doctor -- --calibrate` measures it, several
// times over. Keeps nothing. Usage: gpu_homes KERNELS [TIMES]

#include "exec/gpu/driver.h"
#include "exec/gpu/page_calibration.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace monokernel;

namespace {

void measure(const GpuDevice &device, const char *kernels) {
    const auto start = std::chrono::steady_clock::now();
    const auto driver = openGpuDriver(device);
    const DeviceShape shape = deviceShape(device.target, device.computeUnits);
    const Calibration found = calibratePages(*driver, shape, {.kernelFolder = kernels});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("GPU %u, %s: %s (period %u, confidence %.3f, near %.0f ns, far %.0f ns, %.2f s)\n", device.index,
                device.name.c_str(), found.reason.c_str(), found.map.period(), found.confidence, found.localNanoseconds,
                found.remoteNanoseconds, seconds);
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: gpu_homes KERNELS [TIMES]\n");
        return 2;
    }
    try {
        std::string why;
        const std::vector<GpuDevice> devices = findGpuDevices(why);
        std::printf("%s", why.c_str());
        const int times = argc > 2 ? std::atoi(argv[2]) : 3;
        for (const GpuDevice &device : devices) {
            for (int i = 0; i < times; i++) {
                measure(device, argv[1]);
            }
        }
        return devices.empty() ? 1 : 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
