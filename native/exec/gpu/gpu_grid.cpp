#include "exec/gpu/gpu_grid.h"

#include "exec/gpu/gpu_shared_memory.h"
#include "exec/gpu/matrix_packing.h"

#include <algorithm>
#include <bit>

namespace monokernel {

namespace {

using kernel::PackedMatrix;
using kernel::Parameters;

constexpr uint32_t maxCacheChunks = 8; ///< of a KV head
constexpr uint32_t packed = 2;         ///< elements of a packed word, which one workgroup makes (kernel/words.h)

/// Workgroups that would share a lane if one device had all lanes.
uint32_t membersOnOneDevice(const Parameters &p, const GpuDevice &device) {
    return std::max(1u, device.computeUnits / p.allLanes);
}

void describeRoles(Parameters &p, const GpuDevice &device, const KernelTarget &target, uint32_t members) {
    const uint32_t units = std::max(1u, device.computeUnits);
    p.members = members;
    p.workgroups = units >= p.lanes ? p.members * p.lanes : units;
    p.xccs = p.workgroups % target.dies == 0 && device.computeUnits % target.dies == 0 ? target.dies : 1;
}

void describeChunks(Parameters &p, const GpuDevice &device, const KernelTarget &target) {
    const uint32_t mergeable = std::max(1u, 16384 / (p.laneHeads * p.headDim)); // each reader merges all chunks
    const uint32_t useful = p.context / (2 * target.threads) + 1; // a wave takes two blocks of positions at most
    const uint32_t wanted = p.context > 4096 ? maxCacheChunks : target.cacheChunks;
    const uint32_t most =
        std::clamp(membersOnOneDevice(p, device) / p.laneKvHeads, 1u, std::min({wanted, mergeable, useful}));
    p.chunks = std::bit_floor(most);
    p.chunksLog2 = static_cast<uint32_t>(std::countr_zero(p.chunks));
}

/// Queries of a KV head are dealt out where there is a workgroup for each: a pass over the cache with one takes half
/// the time of one with two, and nobody can go on before it is over.
void describeQueries(Parameters &p) {
    p.queryParts = p.laneHeads * p.chunks <= p.members ? p.headGroup : 1;
    p.queryPartsDivisor = kernel::divisorOf(p.queryParts);
}

void describeMatrices(Parameters &p, const GpuDevice &device, const KernelTarget &target, const ModelSpec &spec) {
    const uint32_t headWidth = p.laneHeads * p.headDim, alone = membersOnOneDevice(p, device);
    const bool shared = p.headInput != kernel::headOwnLane;
    const uint32_t headRows = // of the last lane perhaps fewer
        spec.headType == HeadType::vocabularyParallel ? (p.vocabulary + p.allLanes - 1) / p.allLanes : p.vocabulary;
    const auto choose = [&](uint32_t rows, uint32_t depth, uint32_t members, CutRules rules) {
        rules.mostStaged = mostStagedElements(target);
        rules.depthWaves = 1u << chooseLayout(target, rows, depth, alone, rules).depthWavesLog2;
        return chooseLayout(target, rows, depth, members, rules);
    };
    auto &m = p.matrices;
    m[kernel::matrixQkv] = choose(headWidth + 2 * p.laneKvHeads * p.headDim, p.hidden, p.members, {.ownSlices = true});
    m[kernel::matrixOutput] = choose(p.hidden, headWidth, p.members, {.rowMultiple = packed});
    m[kernel::matrixGateUp] =
        choose(2 * p.laneFfn, p.hidden, p.members, {.rowMultiple = 2 * packed, .ownSlices = true});
    m[kernel::matrixDown] = choose(p.hidden, p.laneFfn, p.members, {.rowMultiple = packed});
    m[kernel::matrixHead] =
        choose(headRows, p.hidden, shared ? p.workgroups * p.devices : p.members, {.ownSlices = true});
}

/// Bytes that a workgroup streams a token, padding included.
uint64_t streamedByMember(const KernelTarget &target, const Parameters &p) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < kernel::matrixCount; i++) {
        bytes += memberBytes(target, p.matrices[i]) * (i == kernel::matrixHead ? 1 : p.layers);
    }
    return bytes;
}

/// Takes as many workgroups, of all that there are or up to a sixth fewer, as make the device stream the fewest bytes,
/// where none has more than a sixteenth more to do for it: rows do not come out even on any number of them, and every
/// workgroup streams as many as the fullest. (132 multiprocessors, four lanes of 3,072 rows: 33 workgroups a lane
/// stream 3 % more than 32 do; 304 compute units, one lane: 256 workgroups have 12 rows each, 288 stream room for 12.)
void dropPadding(Parameters &p, const GpuDevice &device, const KernelTarget &target, const ModelSpec &spec) {
    const uint64_t all = streamedByMember(target, p), most = all + all / 16;
    uint64_t least = all * p.members;
    const uint32_t fewest = p.members - p.members / 6;
    Parameters fewer = p;
    for (uint32_t members = p.members - 1; members >= fewest; members--) {
        describeRoles(fewer, device, target, members);
        describeMatrices(fewer, device, target, spec);
        const uint64_t own = streamedByMember(target, fewer);
        if (fewer.xccs == p.xccs && own <= most && own * members < least) {
            least = own * members;
            p = fewer;
        }
    }
}

} // namespace

void describeGrid(Parameters &p, const GpuDevice &device, const KernelTarget &target, const ModelSpec &spec) {
    describeRoles(p, device, target, std::max(1u, std::max(1u, device.computeUnits) / p.lanes));
    describeChunks(p, device, target);
    describeMatrices(p, device, target, spec);
    dropPadding(p, device, target, spec);
    describeQueries(p);
    p.activationsDivisor = kernel::divisorOf(p.matrices[kernel::matrixGateUp].memberRows / 2);
}

} // namespace monokernel
