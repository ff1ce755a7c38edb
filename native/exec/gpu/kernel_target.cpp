#include "exec/gpu/kernel_target.h"

#include "exec/executor.h"

#include <array>

namespace monokernel {

const KernelTarget &kernelTarget(const std::string &name) {
    static const std::array<KernelTarget, 4> targets{{
        {"gfx942", "monokernel.gfx942.co", 64, 256, 8, 2, 65536, 65536, 0, 8, true, 8},
        // Measured: docs/performance.md. More than 199,680 bytes leave the L1 28 KB instead of 60.
        {"sm_90", "monokernel.sm_90.ptx", 32, 256, 3, 2, 232448, 199680, 6, 1, false, 4},
        {"sm_80", "monokernel.sm_80.ptx", 32, 256, 3, 2, 166912, 166912, 6, 1, false, 4},
        {"host", "", 64, 256, 8, 2, 65536, 65536, 0, 1, true, 8}, // the kernel compiled for tests on a CPU
    }};
    for (const KernelTarget &target : targets) {
        if (target.name == name) {
            return target;
        }
    }
    throw ExecutionError("no GPU kernel is built for the target \"" + name + "\"");
}

} // namespace monokernel
