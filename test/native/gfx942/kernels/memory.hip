#include "device.h"

// Memory accesses of every width. The operation number picks one; memory_test.cpp says what each must give.

DEV u32 narrowLoads(u64 in, u32 i) {
    return global<const u8>(in)[i] + static_cast<u32>(global<const i8>(in)[i + 3]) * 3 + global<const u16>(in)[i] * 5u +
           static_cast<u32>(global<const i16>(in)[i + 1]) * 7;
}
DEV void narrowStores(u64 out, u32 i, u32 x) {
    global<u8>(out)[4 * i] = static_cast<u8>(x);
    global<u8>(out)[4 * i + 1] = static_cast<u8>(x >> 16);
    global<u16>(out)[2 * i + 1] = static_cast<u16>(x >> 16);
}
DEV u32 localNarrow(u32 x) {
    SHARED u8 *bytes = (SHARED u8 *)pool();
    SHARED i16 *halves = (SHARED i16 *)(pool() + 256);
    bytes[thread()] = static_cast<u8>(x);
    halves[thread()] = static_cast<i16>(x >> 3);
    barrier();
    const u32 other = thread() ^ 5;
    const u32 result = bytes[other] + static_cast<u32>(*((SHARED i8 *)bytes + other)) * 3 + static_cast<u32>(halves[other]) * 7 + static_cast<u16>(halves[other]);
    barrier();
    return result;
}
DEV u32 localWide(u32 x) {
    SHARED u32x4 *quads = (SHARED u32x4 *)pool();
    quads[thread()] = u32x4{x, x + 1, x ^ 0x55, x * 3};
    barrier();
    const u32x4 q = quads[thread() ^ 9];
    const SHARED u32x2 *pairs = (const SHARED u32x2 *)pool();
    const u32x2 a = pairs[thread()], b = pairs[thread() + 64]; // read2st64
    barrier();
    return q.x + q.y * 3 + q.z * 5 + q.w * 7 + a.x + b.y;
}
DEV u32 localAtomics(u32 x) {
    if (thread() < 4) {
        pool()[thread()] = thread() == 2 ? 0 : 5;
    }
    barrier();
    __hip_atomic_fetch_add(pool(), x, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
    __hip_atomic_fetch_max(pool() + 1, x, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
    __hip_atomic_fetch_or(pool() + 2, 1u << (x & 31), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
    u32 expected = 5;
    __hip_atomic_compare_exchange_strong(pool() + 3, &expected, x + 100, __ATOMIC_RELAXED, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
    barrier();
    const u32 result = pool()[0] ^ pool()[1] << 8 ^ pool()[2] << 16 ^ (pool()[3] != 5 ? 1u << 31 : 0u);
    barrier();
    return result;
}
DEV void globalAtomics(u64 out, u32 x) {
    __hip_atomic_fetch_add(global<u32>(out), x, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
    __hip_atomic_fetch_max(global<u64>(out) + 1, static_cast<u64>(x) << 33, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
    __hip_atomic_fetch_and(global<u32>(out) + 4, ~(1u << (x & 31)), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
    __hip_atomic_fetch_add(global<float>(out) + 5, 1.0f, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
    const u32 ticket = __hip_atomic_fetch_add(global<u32>(out) + 6, 1u, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
    __hip_atomic_store(global<u32>(out) + 16 + (ticket + 1), 1u, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}

KERNEL void memory(const Arguments p) {
    const u32 i = group() * 256 + thread();
    GLOBAL u32 *out = global<u32>(p.output);
    const u32 x = global<const u32>(p.input)[i];
    switch (p.operation) {
    case 0: out[i] = narrowLoads(p.input, i); break;
    case 1: narrowStores(p.output, i, x); break;
    case 2: out[i] = localNarrow(x); break;
    case 3: out[i] = localWide(x); break;
    case 4: out[i] = localAtomics(x); break;
    case 5: globalAtomics(p.output, x); break;
    case 6: { const u32x4 q = __builtin_nontemporal_load(global<const u32x4>(p.input) + i / 4);
              __builtin_nontemporal_store(u32x4{q.w, q.z, q.y, q.x}, global<u32x4>(p.output) + i / 4); break; }
    case 7: { const auto buffer = __builtin_amdgcn_make_buffer_rsrc((void *)p.input, 0, 512, 0x00027000); // ends inside
              out[i] = __builtin_amdgcn_raw_buffer_load_b32(buffer, static_cast<int>(4 * i), 0, 0); break; }
    case 8: { const u32x3 t = global<const u32x3>(p.input)[i / 4]; out[i] = t.x + t.y * 3 + t.z * 5; break; }
    default: { u64 ticks = __builtin_amdgcn_s_memtime(); out[i] = __builtin_readcyclecounter() >= ticks ? 1 : 0; break; }
    }
}
