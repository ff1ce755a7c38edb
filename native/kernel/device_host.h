#pragma once

// A CPU in the device's place, for tests: one fiber (x86-64) for each hardware lane of 64-lane waves, waves in random
// order. Every whole-wave operation is a rendezvous, so a lane that does not take part stops the test.

#include "host_fibers.h"

#define DEV static inline
#define DEV_MEMBER inline
#define GLOBAL
#define SHARED
#define KERNEL_ENTRY
#define KERNEL_MARK(name)

namespace monokernel::kernel {

constexpr u32 waveLanes = host::waveLanes;
constexpr u32 workgroupThreads = 256;
constexpr u32 tileVectors = 8;

using Arguments = const Parameters;
using MatrixArguments = const PackedMatrix;

DEV Arguments *arguments(Arguments &parameters) { return &parameters; }
DEV Arguments *refresh(Arguments *pointer) { return pointer; }
DEV MatrixArguments &matrixArguments(Arguments &p, u32 matrix) { return p.matrices[matrix]; }

DEV float *shared(u32 floats) { return host::current().workgroup->shared.data() + floats; }

DEV u32 threadIndex() { return host::current().thread; }
DEV u32 laneIndex() { return threadIndex() % waveLanes; }
DEV u32 waveIndex() { return threadIndex() / waveLanes; }
DEV u32 workgroupIndex() { return host::current().workgroup->index; }
DEV u32 xccIndex() { return 0; }

DEV u32 uniform(u32 value) { return static_cast<u32>(host::exchange(value)[0]); }
DEV bool any(bool condition) {
    const u64 *all = host::exchange(condition ? 1 : 0);
    u64 found = 0;
    for (u32 i = 0; i < waveLanes; i++) {
        found |= all[i];
    }
    return found != 0;
}
DEV u32 shuffleXor(u32 value, u32 mask) { return static_cast<u32>(host::exchange(value)[laneIndex() ^ mask]); }
DEV void waveSync() { host::exchange(0); }
DEV void barrier() { host::workgroupBarrier(); }
DEV void nap() { host::yield(); }

DEV u32x4 streamLoad(const void *from) {
    u32x4 value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}
DEV u64 pollWord(const u64 *from) { return __atomic_load_n(from, __ATOMIC_RELAXED); }
DEV u32 pollWord(const u32 *from) { return __atomic_load_n(from, __ATOMIC_RELAXED); }
DEV WordPair pollPair(const u64 *from) { return {pollWord(from), pollWord(from + 1)}; }
DEV void publishWord(u64 *to, u64 word) { __atomic_store_n(to, word, __ATOMIC_RELAXED); }
DEV f32x4 cacheLoad(const float *from) {
    f32x4 value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}
DEV void cacheStore(float *to, float value) { *to = value; }
DEV void prefetch(const void *) {}
DEV void release() {}
DEV u32 takeTicket(u32 *counter) { return __atomic_fetch_add(counter, 1u, __ATOMIC_RELAXED); }
DEV void setIfZero(u64 *to, u64 word) {
    u64 expected = 0;
    __atomic_compare_exchange_n(to, &expected, word, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
DEV void systemStore(u64 *to, u64 word) { __atomic_store_n(to, word, __ATOMIC_RELEASE); }
DEV void systemStore(u32 *to, u32 word) { __atomic_store_n(to, word, __ATOMIC_RELEASE); }
DEV void systemRelease() {}
DEV u32 systemLoad(const u32 *from) { return __atomic_load_n(from, __ATOMIC_RELAXED); }
DEV void addShared(u32 *to, u32 value) { *to += value; }
DEV void addShared(u64 *to, u64 value) { *to += value; }

DEV float inverseSquareRoot(float x) { return 1.0f / __builtin_sqrtf(x); }
DEV float exponential2(float x) { return __builtin_exp2f(x); }
DEV float logarithm2(float x) { return __builtin_log2f(x); }

/// One tile ahead in registers, as on gfx942.
struct TileStage {
    u32x4 vectors[tileVectors];

    void begin(Arguments &) {}
    u32 depth(Arguments &) const { return 1; }
    void fill(u64 address) {
        const u32x4 *from = reinterpret_cast<const u32x4 *>(address) + laneIndex();
        for (u32 i = 0; i < tileVectors; i++) {
            vectors[i] = streamLoad(from + i * waveLanes);
        }
    }
    void take(u32x4 (&out)[tileVectors]) {
        for (u32 i = 0; i < tileVectors; i++) {
            out[i] = vectors[i];
        }
    }
    void end(Arguments &) {}
};

} // namespace monokernel::kernel
