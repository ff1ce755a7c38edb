#pragma once

#include "device.h"

namespace monokernel::kernel {

#if defined(__AMDGCN__)
/// Cycles of the shader clock.
DEV u64 tickClock() { return __builtin_amdgcn_s_memtime(); }
/// A clock of known rate: 100 MHz.
DEV u64 wallClock() { return __builtin_amdgcn_s_memrealtime(); }
#elif defined(__NVPTX__)
/// Cycles of the multiprocessor.
DEV u64 tickClock() {
    u64 ticks;
    asm volatile("mov.u64 %0,%%clock64;" : "=l"(ticks)::"memory");
    return ticks;
}
/// A clock of known rate: nanoseconds.
DEV u64 wallClock() {
    u64 time;
    asm volatile("mov.u64 %0,%%globaltimer;" : "=l"(time)::"memory");
    return time;
}
#endif

} // namespace monokernel::kernel
