#pragma once

#include "waits.h"

namespace monokernel::kernel {

DEV bool logitsWanted(Arguments &p, u32 position) {
    return uniform(p.wanted != 0 ? global<const u32>(p.wanted)[position] : ~0u) != ~0u;
}

/// Tokens of the step at `position`: as many of the prompt as a prefill step takes, up to a position whose logits are
/// wanted, which has a step of its own.
DEV u32 stepTokens(Arguments &all, u32 position) {
    Arguments &p = *refresh(&all);
    if (position + 1 >= p.promptLength) {
        return 1;
    }
    const u32 most = minimum(p.prefillTokens, p.promptLength - position);
    if (p.wanted == 0) {
        return most;
    }
    u32 count = 1;
    while (count < most && !(logitsWanted(p, position) || logitsWanted(p, position + count))) {
        count++;
    }
    return count;
}

/// Whether a step of `count` tokens runs the head, for its last one: the end of the prompt, every generated token, and
/// positions whose logits are wanted.
DEV bool runsHead(Arguments &p, u32 position, u32 count) {
    return position + count >= p.promptLength || logitsWanted(p, position);
}

/// A wave's weights as one endless sequence of tiles in the order of use, over phases and steps. Knows nothing of
/// activations, so it runs ahead of every wait.
struct WeightStream {
    TileStage stage;
    Parked left;   ///< fetches left in the part being fetched (or looked up, a tile ahead)
    Parked matrix; ///< what is being fetched
    Parked layer, lane, position;

    DEV_MEMBER void begin(Arguments &p, const Worker &w, u32 firstPosition) {
        stage.begin(p);
        position = firstPosition;
        layer = 0;
        lane = w.firstLane;
        matrix = matrixQkv;
        enter(p, w);
        if (stage.lookUp()) {
            count(p, w);
        }
        const u32 depth = stage.depth(p);
        for (u32 i = 0; i < depth; i++) {
            stage.fill(i);
            count(p, w);
        }
    }

    /// Tiles of matrix `m` that come at once.
    DEV_MEMBER static u32 fetchTiles(MatrixArguments &m) { return TileStage::fetchTiles(m); }
    /// Waits for the next fetch.
    DEV_MEMBER void await() { stage.await(); }
    /// This lane's pieces of its next tile, which is of matrix `m`.
    DEV_MEMBER void load(MatrixArguments &m, u32x4 (&blocks)[tileBlocks][blockPieces]) { stage.load(m, blocks); }
    /// All of the fetch has been loaded, and best also multiplied: asks for another in its place.
    DEV_MEMBER void refill(Arguments &p, const Worker &w) {
        stage.refill();
        count(p, w);
    }

    DEV_MEMBER void end(Arguments &p) { stage.end(p); }

private:
    /// A fetch has been asked for, or looked up where that comes first.
    DEV_MEMBER void count(Arguments &p, const Worker &w) {
        left += ~0u; // one less: a parked number can be added to where it lies
        if (left == 0) {
            advance(p, w);
        }
    }

    /// Whether all workgroups share the head's rows, whatever their lane.
    DEV_MEMBER static bool sharedHead(Arguments &p) { return p.headInput != headOwnLane; }

    DEV_MEMBER void enter(Arguments &p, const Worker &w) {
        auto &&m = matrixArguments(p, matrix); // a copy where indexing arguments is costly
        const u32 part = matrix == matrixHead && sharedHead(p) ? w.group : lane * p.members + w.member;
        left = m.waveFetches;
        stage.enter(p, m, layer, part, w.wave);
    }

    DEV_MEMBER void advance(Arguments &all, const Worker &w) {
        Arguments &p = *refresh(&all);
        lane += w.laneStep;
        if (lane >= p.lanes || (matrix == matrixHead && sharedHead(p))) {
            lane = w.firstLane;
            if (matrix < matrixDown) {
                matrix += 1;
            } else if (matrix == matrixDown && layer + 1 < p.layers) {
                matrix = matrixQkv;
                layer += 1;
            } else {
                const u32 tokens = stepTokens(p, position);
                const bool head = matrix == matrixDown && runsHead(p, position, tokens);
                matrix = head ? matrixHead : matrixQkv;
                position += head ? 0 : tokens;
                layer = 0;
            }
        }
        enter(p, w);
    }
};

} // namespace monokernel::kernel
