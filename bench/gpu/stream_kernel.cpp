// What this device's memory gives: a read or a copy of a large buffer, every workgroup a contiguous share, 16-byte
// loads, eight in flight a thread. Shares the monokernel's device layer.

#include "kernel/device.h"
#include "stream_parameters.h"

namespace monokernel::kernel {

constexpr u32 loadsInFlight = 8;

KERNEL_ENTRY void monokernel(const StreamParameters p) {
    const u64 count = p.bytes / 16;
    u32x4 sum = {0, 0, 0, 0};
    for (u32 pass = 0; pass < p.passes; pass++) {
        const u64 stride = static_cast<u64>(p.workgroups) * workgroupThreads;
        for (u64 base = 0; base < count; base += stride * loadsInFlight) {
            u32x4 values[loadsInFlight];
            const u64 first =
                base + static_cast<u64>(workgroupIndex()) * workgroupThreads * loadsInFlight + threadIndex();
#pragma unroll
            for (u32 i = 0; i < loadsInFlight; i++) {
                const u64 at = first + i * workgroupThreads;
                values[i] = streamLoad(global<const u32x4>(p.from) + (at < count ? at : 0));
            }
#pragma unroll
            for (u32 i = 0; i < loadsInFlight; i++) {
                const u64 at = first + i * workgroupThreads;
                if (p.to != 0 && at < count) {
                    global<u32x4>(p.to)[at] = values[i];
                }
                sum ^= values[i];
            }
        }
    }
    const u32 word = sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
    if (word == 0x12345678u) { // keeps the loads; practically never written
        global<u32>(p.sink)[0] = word;
    }
}

} // namespace monokernel::kernel
