#pragma once

#include "stage.h"
#include "weight_stream.h"

// The matrix product, on the matrix cores. Every wave multiplies its part of the workgroup's rows and inner dimension;
// then the threads add the parts of the inner dimension. A decode step has one token, in all columns or a part of it in
// each; a prefill step has a token in each. A column's sum does not depend on the others, so both give a token the same
// bits.

namespace monokernel::kernel {

constexpr u32 panelRows = 256; ///< rows of a workgroup's panel at most: one a thread

/// A lane's 16 bytes of one step of the input: its column's token, its chunk, in two bf16 parts; or the column's part
/// alone.
template <u32 parts> struct TokenPieces {
    u32x4 of[parts];
};

/// Tiles side by side of a panel whose tiles have `rowBlocks` row blocks.
constexpr u32 groupsOf(u32 rowBlocks) { return rowBlocks == tileBlocks ? maxGroups : 1; }

/// Sums of a block and a tile of tokens whose pieces have `parts` parts.
constexpr u32 partSums(u32 parts) { return partsApart ? parts : 1; }

/// What a wave adds up: its panel's blocks times `columns` tiles of tokens.
template <u32 rowBlocks, u32 columns, u32 parts> struct PanelSums {
    f32x4 of[groupsOf(rowBlocks)][rowBlocks][columns][partSums(parts)];

    DEV_MEMBER void clear() {
        every([](f32x4 &sum) INLINED { sum = f32x4{}; });
    }
    DEV_MEMBER void keep() {
        every([](f32x4 &sum) INLINED { keepSum(sum); });
    }

private:
    template <class Body> DEV_MEMBER void every(Body body) {
#pragma unroll
        for (u32 g = 0; g < groupsOf(rowBlocks); g++) {
#pragma unroll
            for (u32 b = 0; b < rowBlocks; b++) {
#pragma unroll
                for (u32 c = 0; c < columns; c++) {
#pragma unroll
                    for (u32 s = 0; s < partSums(parts); s++) {
                        body(of[g][b][c][s]);
                    }
                }
            }
        }
    }
};

/// Adds the products of one step of a tile. Neighbouring instructions add to different sums, as each takes a while.
template <u32 rowBlocks, u32 columns, u32 parts>
DEV void multiplyStep(const u32x4 (&weights)[tileBlocks][blockPieces], u32 step,
                      const TokenPieces<parts> (&tokens)[columns], f32x4 (&sums)[rowBlocks][columns][partSums(parts)]) {
#pragma unroll
    for (u32 part = 0; part < parts; part++) {
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
#pragma unroll
            for (u32 b = 0; b < rowBlocks; b++) {
#pragma unroll
                for (u32 c = 0; c < columns; c++) {
                    f32x4 &sum = sums[b][c][partsApart ? part : 0];
                    multiplyAdd(weights[step * rowBlocks + b], tokens[c].of[part], half, sum);
                }
            }
        }
    }
}

/// The sums of one panel of a decode step; pieces.take(pieces) gives the input step by step.
template <u32 rowBlocks, class Pieces>
DEV void multiplyPanel(Arguments &p, Worker &w, MatrixArguments &m, WeightStream &stream, Pieces &pieces,
                       PanelSums<rowBlocks, 1, Pieces::parts> &sums) {
    constexpr u32 tileSteps = tileBlocks / rowBlocks;
    static_assert(maxGroups == 2);
    sums.clear();
    sums.keep();
    KERNEL_MARK("weights_begin");
    u32 step = 0;
    do { // at least one of each: a loop that may be empty costs copies of the tile in flight
        w.timeline.awaitWeights([&]() INLINED { stream.await(); });
        u32 tiles = WeightStream::fetchTiles(m);
        do {
            TokenPieces<Pieces::parts> tokens[1] = {};
            u32x4 weights[tileBlocks][blockPieces];
            if constexpr (tileSteps == 1) {
                pieces.take(tokens);
                stream.load(m, weights);
                multiplyStep(weights, 0, tokens, sums.of[0]);
                if (m.groups > 1) { // each of its tiles is a fetch
                    stream.refill(p, w);
                    w.timeline.awaitWeights([&]() INLINED { stream.await(); });
                    stream.load(m, weights);
                    multiplyStep(weights, 0, tokens, sums.of[maxGroups - 1]);
                }
            } else {
                stream.load(m, weights);
#pragma unroll
                for (u32 s = 0; s < tileSteps; s++) {
                    pieces.take(tokens);
                    multiplyStep(weights, s, tokens, sums.of[0]);
                }
            }
            step += tileSteps;
        } while (--tiles != 0);
        stream.refill(p, w);
        sums.keep();
    } while (step < m.steps);
    KERNEL_MARK("weights_end");
}

/// The input of a decode step, as staged by this wave; the same token in every column, or one of its parts in each.
struct StagedPieces {
    static constexpr u32 parts = partsApart ? 1 : 2;
    u32 at;

    DEV_MEMBER StagedPieces(MatrixArguments &m, const Worker &w) : at(stageOffset(m, w.wave, 8 * pieceChunk(w.lane))) {
        at += partsApart ? 4 * columnPart(w.lane) : 0;
    }
    DEV_MEMBER void take(TokenPieces<parts> (&tokens)[1]) {
#pragma unroll
        for (u32 part = 0; part < parts; part++) {
            tokens[0].of[part] = *(SHARED const u32x4 *)shared(at + 4 * part);
        }
        at += 32;
    }
};

/// Sum of the parts of the inner dimension.
DEV float rowSum(MatrixArguments &m, u32 partials, u32 row) {
    float sum = 0.0f;
#pragma unroll
    for (u32 i = 0; i < workgroupWaves; i++) { // all loads at once
        const float part = *shared(partials + i * panelRows + row);
        sum += i < depthWaves(m) ? part : 0.0f;
    }
    return sum;
}

/// Calls body(constant of type RowBlocks<n>) with the matrix's row blocks a tile.
template <u32 value> struct RowBlocks {
    static constexpr u32 count = value;
};
template <u32 rowBlocks = tileBlocks, class Body> DEV void withRowBlocks(MatrixArguments &m, Body body) {
    if constexpr (rowBlocks == 1) {
        body(RowBlocks<1>{});
    } else if constexpr (tileBlocks % rowBlocks != 0) {
        withRowBlocks<rowBlocks - 1>(m, body);
    } else {
        either(
            m.tileSteps == tileBlocks / rowBlocks, [&]() INLINED { body(RowBlocks<rowBlocks>{}); },
            [&]() INLINED { withRowBlocks<rowBlocks - 1>(m, body); });
    }
}

/// One panel of a decode step's product: this wave's part of its sums, into partials [part][row].
template <u32 rowBlocks>
DEV void multiplyStaged(Arguments &p, Worker &w, MatrixArguments &m, WeightStream &stream, u32 partials) {
    PanelSums<rowBlocks, 1, StagedPieces::parts> sums;
    StagedPieces pieces(m, w);
    multiplyPanel(p, w, m, stream, pieces, sums);
    const u32 at = partials + depthPart(m, w.wave) * panelRows + rowPart(m, w.wave) * m.waveRows;
#pragma unroll
    for (u32 g = 0; g < groupsOf(rowBlocks); g++) {
        if (g > 0 && g >= m.groups) {
            break;
        }
        if (sumToken(w.lane, 0) != 0) { // all columns are alike
            continue;
        }
#pragma unroll
        for (u32 b = 0; b < rowBlocks; b++) {
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                const u32 row = sumRow(w.lane, i, m.blockRows);
                if (sumToken(w.lane, i) == 0 && row < m.blockRows) {
                    *shared(at + (g * rowBlocks + b) * m.blockRows + row) = columnSum(sums.of[g][b][0][0], i);
                }
            }
        }
    }
    rejoin();
}

/// A decode step's product of the workgroup's rows with the staged input. finish(first row, rows, partials) is called
/// by every thread after each panel's barrier, with the rows counted from the workgroup's first.
template <class Finish>
DEV void multiplyToken(Arguments &p, Worker &w, MatrixArguments &m, WeightStream &stream, Finish finish) {
    const u32 rows = rowWaves(m) * m.waveRows;
    u32 panel = 0;
    do {
        const u32 partials = p.partialOffset + (w.block & 1) * p.partialPitch;
        withRowBlocks(m, [&](auto rowBlocks) INLINED { multiplyStaged<rowBlocks.count>(p, w, m, stream, partials); });
        w.timeline.markMultiplied();
        barrier();
        finish(panel * rows, rows, partials);
        rejoin();
        w.block += 1;
    } while (++panel < m.panels);
    w.phase += 1;
}

/// The input of a prefill step's product, from memory. Asks for some steps' while one is used.
struct StoredInput {
    static constexpr u32 parts = 2;
    Worker &w;
    MatrixArguments &m;
    u64 vectors; ///< of the step's tokens
    u32 count, chunk;
    TokenPieces<parts> asked[inputAhead][tokenTiles];

    DEV_MEMBER StoredInput(Worker &w, MatrixArguments &m, u64 vectors, u32 count)
        : w(w), m(m), vectors(vectors), count(count), chunk(pieceChunk(w.lane)) {
#pragma unroll
        for (u32 i = 0; i < inputAhead; i++) {
            ask(i);
        }
    }

    /// Asks for the next step's pieces, into place `slot`.
    DEV_MEMBER void ask(u32 slot) {
#pragma unroll
        for (u32 c = 0; c < tokenTiles; c++) {
            GLOBAL const u32x4 *from = pieces(c);
#pragma unroll
            for (u32 part = 0; part < parts; part++) {
                asked[slot][c].of[part] = deviceLoad(from + part);
            }
        }
        chunk += 4;
    }

private:
    /// What lies past the slice or the vector meets weights of 0, and what lies past the tokens is not used: anything
    /// finite will do. Reckoned anew each time, as there are few registers.
    DEV_MEMBER GLOBAL const u32x4 *pieces(u32 tile) const {
        const u32 token = minimum(tile * tokenColumns + columnToken(laneAgain(w.lane)), opaque(count) - 1);
        const u32 chunks = opaque(m.waveChunks), first = depthPart(m, opaque(w.wave)) * chunks;
        const u32 place = minimum(first + minimum(chunk, chunks - 1), (m.depth - 1) >> 3);
        return global<const u32x4>(vectors + static_cast<u64>(token) * inputBytes(m.depth)) + parts * place;
    }
};

/// The sums of one panel of a prefill step.
template <u32 rowBlocks>
DEV void multiplyInput(Arguments &p, Worker &w, MatrixArguments &m, WeightStream &stream, StoredInput &input,
                       PanelSums<rowBlocks, tokenTiles, StoredInput::parts> &sums) {
    constexpr u32 tileSteps = tileBlocks / rowBlocks, turnTiles = inputAhead > tileSteps ? inputAhead / tileSteps : 1;
    static_assert(inputAhead % tileSteps == 0 || tileSteps % inputAhead == 0);
    sums.clear();
    sums.keep();
    KERNEL_MARK("prefill_begin");
    u32 step = 0, tiles = 0;
    do {
#pragma unroll
        for (u32 turn = 0; turn < turnTiles; turn++) { // registers are not indexed at run time
            if (turn > 0 && step >= m.steps) {
                break;
            }
            if (tiles == 0) {
                w.timeline.awaitWeights([&]() INLINED { stream.await(); });
                tiles = WeightStream::fetchTiles(m);
            }
            u32x4 weights[tileBlocks][blockPieces];
            stream.load(m, weights);
#pragma unroll
            for (u32 s = 0; s < tileSteps; s++) {
                const u32 slot = (turn * tileSteps + s) % inputAhead;
                multiplyStep(weights, s, input.asked[slot], sums.of[0]);
                if (tileSteps == 1 && m.groups > 1) { // each of its tiles is a fetch
                    stream.refill(p, w);
                    w.timeline.awaitWeights([&]() INLINED { stream.await(); });
                    stream.load(m, weights);
                    multiplyStep(weights, 0, input.asked[slot], sums.of[groupsOf(rowBlocks) - 1]);
                }
                input.ask(slot);
            }
            step += tileSteps;
            if (--tiles == 0) {
                stream.refill(p, w);
            }
            sums.keep();
        }
    } while (step < m.steps);
    KERNEL_MARK("weights_end");
}

/// One group's sums of a wave, into [part][token][row of the run].
template <u32 rowBlocks, u32 parts>
DEV void storeSums(MatrixArguments &m, const Worker &w, const f32x4 (&sums)[rowBlocks][tokenTiles][parts], u32 pitch) {
    const u32 first = rowPart(m, w.wave) * rowBlocks * m.blockRows;
#pragma unroll
    for (u32 b = 0; b < rowBlocks; b++) {
#pragma unroll
        for (u32 c = 0; c < tokenTiles; c++) {
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                const u32 row = sumRow(w.lane, i, m.blockRows), token = c * tokenColumns + sumToken(w.lane, i);
                if (row < m.blockRows) {
                    *shared((depthPart(m, w.wave) * maxPrefillTokens + token) * pitch + first + b * m.blockRows + row) =
                        parts == 1 ? sums[b][c][0][i] : sums[b][c][0][i] + sums[b][c][parts - 1][i];
                }
            }
        }
    }
}

/// A prefill step's product of the workgroup's rows with `count` vectors. finish(first row, rows, sums) is
/// called by every thread for runs of rows, counted from the workgroup's first; sums(row of the run, token) adds up.
template <u32 rowBlocks, class Finish>
DEV void multiplyTokens(Arguments &p, Worker &w, MatrixArguments &m, WeightStream &stream, u64 vectors, u32 count,
                        Finish finish) {
    const u32 runs = rowWaves(m);
    const u32 groupRows = rowBlocks * m.blockRows, pitch = runs * groupRows;
    u32 panel = 0;
    do {
        renew(w); // beside the sums there are few registers
        PanelSums<rowBlocks, tokenTiles, StoredInput::parts> sums;
        StoredInput input(w, m, vectors, count);
        multiplyInput(p, w, m, stream, input, sums);
        w.timeline.markMultiplied();
        for (u32 g = 0; g < m.groups; g++) {
            barrier(); // the sums of the group before are used
#pragma unroll
            for (u32 s = 0; s < groupsOf(rowBlocks); s++) {
                if (s == g) { // registers are not indexed at run time
                    storeSums(m, w, sums.of[s], pitch);
                }
            }
            barrier();
            for (u32 r = 0; r < runs; r++) {
                const u32 first = (panel * runs + r) * m.waveRows + g * groupRows;
                finish(first, groupRows, [&](u32 row, u32 token) INLINED {
                    float sum = 0.0f;
#pragma unroll
                    for (u32 i = 0; i < workgroupWaves; i++) { // all loads at once
                        const float part = *shared((minimum(i, depthWaves(m) - 1) * maxPrefillTokens + token) * pitch +
                                                   r * groupRows + row);
                        sum += i < depthWaves(m) ? part : 0.0f;
                    }
                    return sum;
                });
            }
        }
    } while (++panel < m.panels);
    barrier();
}

} // namespace monokernel::kernel
