#pragma once

// The little that test kernels need of the target.

using u8 = unsigned char;
using i8 = signed char;
using u16 = unsigned short;
using i16 = short;
using u32 = unsigned;
using i32 = int;
using u64 = unsigned long long;
using u32x2 = u32 __attribute__((ext_vector_type(2)));
using u32x3 = u32 __attribute__((ext_vector_type(3)));
using u32x4 = u32 __attribute__((ext_vector_type(4)));

#define GLOBAL __attribute__((address_space(1)))
#define SHARED __attribute__((address_space(3)))
#define DEV __attribute__((device, always_inline)) static inline
#define KERNEL extern "C" __attribute__((global, amdgpu_flat_work_group_size(256, 256)))

extern __attribute__((shared, aligned(16))) u32 sharedMemory[];
DEV SHARED u32 *pool() { return (SHARED u32 *)sharedMemory; }

/// Every test kernel takes these: what to do, and two buffers.
struct Arguments {
    u32 operation, count;
    u64 input, output;
};

template <class T> DEV GLOBAL T *global(u64 address) { return (GLOBAL T *)address; }
DEV u32 thread() { return __builtin_amdgcn_workitem_id_x(); }
DEV u32 group() { return __builtin_amdgcn_workgroup_id_x(); }
DEV u32 lane() { return __builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0)); }
DEV void barrier() {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
    __builtin_amdgcn_s_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
