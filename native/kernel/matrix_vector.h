#pragma once

#include "stage.h"
#include "weight_stream.h"

// The matrix-vector product of a decode step. Every wave multiplies its slice of all the workgroup's rows with the
// input it staged itself; one barrier later the threads add the waves' parts, a row each.

namespace monokernel::kernel {

constexpr u32 blockRows = 256; ///< rows between two barriers at most: one a thread

DEV float dotChunk(u32x4 weights, f32x4 low, f32x4 high, float sum) {
    const u32 w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
    sum = __builtin_fmaf(bf16Low(w0), low[0], sum);
    sum = __builtin_fmaf(bf16High(w0), low[1], sum);
    sum = __builtin_fmaf(bf16Low(w1), low[2], sum);
    sum = __builtin_fmaf(bf16High(w1), low[3], sum);
    sum = __builtin_fmaf(bf16Low(w2), high[0], sum);
    sum = __builtin_fmaf(bf16High(w2), high[1], sum);
    sum = __builtin_fmaf(bf16Low(w3), high[2], sum);
    return __builtin_fmaf(bf16High(w3), high[3], sum);
}

/// The wave's part of one block of rows, into the block's partial sums [wave][row].
template <u32 tileSteps>
DEV void multiplyBlock(Arguments &p, const Worker &w, MatrixArguments &m, WeightStream &stream, u32 groups,
                       u32 partials) {
    constexpr u32 tileRows = tileVectors / tileSteps;
    const u32 rowLanes = 1 << m.rowLanesLog2;
    const u32 rowsOfVector = waveLanes >> m.rowLanesLog2;
    const u32 chunk = w.wave * (m.steps << m.rowLanesLog2) + (w.lane & (rowLanes - 1));
    for (u32 group = 0; group < groups; group++) {
        float sums[tileRows] = {};
        KERNEL_MARK("weights_begin");
        for (u32 step = 0; step < m.steps; step += tileSteps) {
            u32x4 tile[tileVectors];
            stream.take(p, w, tile);
#pragma unroll
            for (u32 s = 0; s < tileSteps; s++) {
                const u32 at = (chunk + ((step + s) << m.rowLanesLog2)) * 4;
                const f32x4 low = *(SHARED const f32x4 *)shared(at);
                const f32x4 high = *(SHARED const f32x4 *)shared(p.stageFloats + at);
#pragma unroll
                for (u32 r = 0; r < tileRows; r++) {
                    sums[r] = dotChunk(tile[s * tileRows + r], low, high, sums[r]);
                }
            }
        }
        KERNEL_MARK("weights_end");
#pragma unroll
        for (u32 r = 0; r < tileRows; r++) {
            const float sum = groupSum(sums[r], m.rowLanesLog2);
            if ((w.lane & (rowLanes - 1)) == 0) {
                *shared(partials + w.wave * blockRows + (group * tileRows + r) * rowsOfVector +
                        (w.lane >> m.rowLanesLog2)) = sum;
            }
        }
    }
}

/// multiplyBlock for the matrix's steps a tile: one of the divisors of tileVectors.
template <u32 tileSteps>
DEV void multiplyBlockBy(Arguments &p, const Worker &w, MatrixArguments &m, WeightStream &stream, u32 groups,
                         u32 partials) {
    if constexpr (tileSteps > 1 && tileVectors % tileSteps != 0) {
        multiplyBlockBy<tileSteps - 1>(p, w, m, stream, groups, partials);
    } else if constexpr (tileSteps == 1) {
        multiplyBlock<1>(p, w, m, stream, groups, partials);
    } else if (m.tileSteps == tileSteps) {
        multiplyBlock<tileSteps>(p, w, m, stream, groups, partials);
    } else {
        multiplyBlockBy<tileSteps - 1>(p, w, m, stream, groups, partials);
    }
}

DEV float rowSum(u32 partials, u32 row) {
    float sum = 0.0f;
#pragma unroll
    for (u32 i = 0; i < workgroupWaves; i++) {
        sum += *shared(partials + i * blockRows + row);
    }
    return sum;
}

/// Multiplies the workgroup's rows with the staged input. finish(first row, rows, partials) is called by every thread
/// after each block's barrier, with the rows counted from the workgroup's first.
template <class Finish>
DEV void multiply(Arguments &p, Worker &w, MatrixArguments &m, WeightStream &stream, Finish finish) {
    const u32 rowsOfGroup = tileVectors / m.tileSteps * (waveLanes >> m.rowLanesLog2);
    for (u32 group = 0; group < m.groups; group += m.blockGroups) {
        const u32 groups = minimum(m.blockGroups, m.groups - group);
        const u32 partials = p.partialOffset + (w.block & 1) * (workgroupWaves * blockRows);
        multiplyBlockBy<tileVectors>(p, w, m, stream, groups, partials);
        barrier();
        finish(group * rowsOfGroup, groups * rowsOfGroup, partials);
        w.block++;
    }
    w.phase++;
}

/// Rows of this member that exist, from its first.
DEV u32 memberRowCount(MatrixArguments &m, u32 rows, u32 member) {
    const u32 first = member * m.memberRows;
    return first >= rows ? 0 : minimum(m.memberRows, rows - first);
}

} // namespace monokernel::kernel
