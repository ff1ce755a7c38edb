#include "device.h"

// Bugs that each check must find, beside the right way of doing the same (even numbers are right).

DEV u32 loadWithoutWait(GLOBAL const u32 *from, bool waits) {
    u32 x;
    if (waits) {
        asm volatile("global_load_dword %0, %1, off sc1\n\ts_waitcnt vmcnt(0)" : "=v"(x) : "v"(from) : "memory");
    } else {
        asm volatile("global_load_dword %0, %1, off sc1" : "=v"(x) : "v"(from) : "memory");
    }
    return x + 1;
}

/// Workgroup 0 gives a value to the others.
DEV u32 handOver(GLOBAL u32 *slot, bool publishes, bool polls) {
    if (group() == 0) {
        if (publishes) {
            __hip_atomic_store(slot + thread(), thread() + 1, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
        } else {
            *(volatile GLOBAL u32 *)(slot + thread()) = thread() + 1; // system scope; the test takes its bits away
        }
        return 0;
    }
    u32 x = ~0u;
    while (__builtin_amdgcn_ballot_w64(x == ~0u) != 0) {
        x = polls ? __hip_atomic_load(slot + thread(), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT)
                  : __hip_atomic_load(slot + thread(), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
        __builtin_amdgcn_s_sleep(1);
    }
    return x;
}

DEV u32 reverseThroughLds(u32 x, bool first, bool second) {
    u32 result = 0;
    for (u32 round = 0; round < 2; round++) {
        pool()[thread()] = x + round;
        if (first) barrier();
        result += pool()[255 - thread()];
        if (second) barrier();
    }
    return result;
}

DEV u32 scalarOfOwnStore(GLOBAL u32 *slot, bool coherent) {
    __hip_atomic_store(slot + 64 * group(), 7u, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
    asm volatile("s_waitcnt vmcnt(0)" ::: "memory");
    if (coherent) {
        return __hip_atomic_load(slot + 64 * group(), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
    }
    u32 x;
    asm volatile("s_load_dword %0, %1, 0x0\n\ts_waitcnt lgkmcnt(0)" : "=s"(x) : "s"(slot + 64 * group()) : "memory");
    return x;
}

/// Two stores to different addresses, the second of which says that the first is there.
DEV u32 flagAfterData(GLOBAL u32 *slot, bool drains) {
    if (group() == 0) {
        __hip_atomic_store(slot + thread(), thread(), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
        if (drains) {
            asm volatile("s_waitcnt vmcnt(0)" ::: "memory");
        }
        __hip_atomic_store(slot + 256 + thread(), 1u, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
        return 0;
    }
    while (__builtin_amdgcn_ballot_w64(__hip_atomic_load(slot + 256 + thread(), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT) != 1) != 0) {
        __builtin_amdgcn_s_sleep(1);
    }
    return __hip_atomic_load(slot + thread(), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT) == thread() ? 0 : 1;
}

KERNEL void faulty(const Arguments p) {
    const u32 i = group() * 256 + thread();
    GLOBAL u32 *out = global<u32>(p.output), *slot = out + 4096;
    const u32 x = global<const u32>(p.input)[thread()];
    u32 result = 0;
    switch (p.operation) {
    case 0: result = loadWithoutWait(global<const u32>(p.input) + thread(), true); break;
    case 1: result = loadWithoutWait(global<const u32>(p.input) + thread(), false); break;
    case 2: result = handOver(slot, true, true); break;
    case 3: result = handOver(slot, true, false); break;
    case 4: result = reverseThroughLds(x, true, true); break;
    case 5: result = reverseThroughLds(x, false, true); break;
    case 7: result = reverseThroughLds(x, true, false); break;
    case 8: result = scalarOfOwnStore(slot, true); break;
    case 9: result = scalarOfOwnStore(slot, false); break;
    case 10: result = flagAfterData(slot, true); break;
    case 11: result = flagAfterData(slot, false); break;
    case 13: result = pool()[thread() + 900]; break;           // past the LDS
    case 15: result = out[thread() + p.count]; break;        // past the buffer
    case 17: result = out[pool()[thread()] & 63]; break;       // an address out of LDS never written
    case 19: if (pool()[thread()] == 3) { out[1] = 1; } break; // a branch on it
    case 20: if ((pool()[thread()] & (x - 3)) == 3) { out[1] = 1; } break; // of which nothing is left: x is 3
    case 27: if ((pool()[thread()] & (x - 2)) == 3) { out[1] = 1; } break; // of which one bit is left
    case 21: while (__hip_atomic_load(slot, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT) != 1) { __builtin_amdgcn_s_sleep(1); } break;
    case 23: if (thread() < 64) { barrier(); } break;        // waves 1 to 3 end: the hardware lets wave 0 pass
    case 25: result = *(GLOBAL u32 *)(p.input + 4 * thread() + 2); break;
    default: break;
    }
    out[i] = result;
}
