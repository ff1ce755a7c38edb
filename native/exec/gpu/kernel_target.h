#pragma once

#include <cstdint>
#include <string>

namespace monokernel {

/// What the host must know of a kernel build: the constants of its device layer.
struct KernelTarget {
    std::string name;      ///< as GpuDevice::target
    std::string file;      ///< of the code object in the kernel folder
    uint32_t waveLanes;    ///< hardware lanes of a wave
    uint32_t threads;      ///< of a workgroup
    uint32_t tileBlocks;   ///< blocks of up to 16 rows by 32 elements of a weight tile
    uint32_t maxGroups;    ///< tiles side by side of a panel at most
    uint32_t sharedBytes;  ///< shared memory a workgroup may have
    uint32_t roomyBytes;   ///< of which more would leave the cache that shares its memory little
    uint32_t maxRingSlots; ///< fetches of weights a wave keeps in shared memory; 0 where they are kept in registers
    uint32_t dies;         ///< dies with a ticket counter of their own
    bool paged;            ///< a part of a weight matrix lies in pages anywhere, as PackedMatrix::pages says
    uint32_t cacheChunks;  ///< parts of a head's KV cache that different workgroups read, for contexts up to 4,096

    uint32_t waves() const { return threads / waveLanes; }
    uint32_t maxTileBytes() const { return tileBlocks * 1024; }
};

/// Throws ExecutionError for a target that no kernel is built for.
const KernelTarget &kernelTarget(const std::string &name);

} // namespace monokernel
