#pragma once

/// What the host executor tells the kernel: one struct passed by value. Plain 4- and 8-byte fields, so that every
/// compiler lays it out alike. Addresses are device addresses; sizes are in elements unless the name says bytes.
namespace monokernel::kernel {

using u32 = unsigned int;
using u64 = unsigned long long;

/// The weight matrices of a step in the order in which a layer uses them; the head comes once, after the layers.
enum Matrix : u32 { matrixQkv, matrixOutput, matrixGateUp, matrixDown, matrixHead, matrixCount };

/// A bf16 weight matrix packed for streaming. A workgroup owns `memberRows` rows of one lane; its waves split the inner
/// dimension, wave w holding the chunks (of 8 elements) [w * waveChunks, (w + 1) * waveChunks). A vector is one 16-byte
/// load of every hardware lane of a wave: 2^rowLanesLog2 neighbouring lanes read one row. A tile is `tileVectors`
/// vectors: `tileSteps` steps along the row for each of tileVectors / tileSteps row vectors.
/// Tiles lie as [layer][lane][member][tile][wave].
struct PackedMatrix {
    u64 tiles;
    u64 layerBytes;
    u32 laneRows;     ///< output rows of a lane
    u32 memberRows;   ///< rows of a workgroup (the last ones may have fewer)
    u32 depth;        ///< inner dimension
    u32 waveChunks;   ///< chunks of 8 elements that a wave covers
    u32 rowLanesLog2; ///< hardware lanes a row
    u32 tileSteps;    ///< steps of a tile, a divisor of tileVectors
    u32 steps;        ///< steps of a row slice, padded to whole tiles
    u32 groups;       ///< groups of row vectors a workgroup
    u32 blockGroups;  ///< groups between two barriers
    u32 waveTiles;    ///< tiles of a wave: groups * steps / tileSteps
};

/// How a layer's partial outputs enter the residual stream of a lane.
enum Reduction : u32 { reductionOwn, reductionPresent, reductionPast };

/// What the head reads: its lane's own stream, the mean over lanes of the normed streams, or the sum of the streams.
enum HeadInput : u32 { headOwnLane, headMeanOfNorms, headSumOfLanes };

/// The edges that a worker can wait for; an expired wait reports one of them.
enum WaitEdge : u32 {
    waitNothing,
    waitQueryKeyValue,
    waitAttention,
    waitAttentionPartial,
    waitActivation,
    waitFfnPartial,
    waitLaneSum,
    waitHeadInput,
    waitSummary,
    waitLogits,
    waitPlacement,
};

/// Why a request ended, in Result::stop.
enum Stop : u32 {
    stopRunning,
    stopToken,
    stopMaxTokens,
    stopMinProbability,
    stopCancelled,
    stopLogitsDone,
    stopFailed
};

struct Sampler {
    u64 seed;
    float temperature;
    float topP;
    u32 topK;
    float minLogProbability; ///< stop before a token below this
};

/// Pinned: the kernel's last words.
struct Result {
    u32 stop;
    u32 generated;
    u32 cached;     ///< positions whose keys and values the slot now holds
    u32 prefilled;  ///< prompt positions run
    u32 failedEdge; ///< WaitEdge << 16 | layer, of the first wait that expired
    u32 failedGroup;
    u32 finishedTag; ///< written last: the request's tagBase
    u32 reserved;
};

struct Parameters {
    PackedMatrix matrices[matrixCount];

    // The model.
    u32 layers, lanes, hidden, headDim;
    u32 laneHeads, laneKvHeads, laneFfn, vocabulary;
    u32 broadcastDelay, earlyReduction, lateReduction, headInput;
    u32 window, windowBelow, windowFrom; ///< the window holds on layers < windowBelow or >= windowFrom
    u32 ropeHalves, perLaneNorm, hasBias, hasQkNorm, context;
    float normEpsilon, queryScale, ownScale, laneScale;
    u64 embedding;     ///< bf16 [vocabulary, hidden]
    u64 attentionNorm; ///< f32 [layers, lanes or 1, hidden]
    u64 ffnNorm;       ///< likewise
    u64 finalNorm;     ///< f32 [lanes or 1, hidden]
    u64 qkvBias;       ///< f32 [layers, lanes, laneHeads + 2 laneKvHeads, headDim]
    u64 qkNorm;        ///< f32 [layers, 2, headDim]
    u64 rope;          ///< f32 [context, headDim / 2, 2]: cosine, sine

    // The grid and its memory.
    u32 workgroups, members, chunks, spinLimit;
    u32 xccs, ringSlots, stageFloats, reserved;
    u32 partialOffset, sumsOffset, scratchOffset,
        ringOffset; ///< in floats from the start of shared memory; stage is at 0
    u64 residual;   ///< f32 [workgroups, lanes served, hidden], each word private to one thread
    u64 tickets;    ///< u32 [xccs] * 32: roles handed out, never cleared
    u64 abort;      ///< u64: failed edge and workgroup, 0 while all is well

    // Edges: 8-byte words of a value (low) and the step's tag (high).
    u64 queryKeyValue; ///< [layers, lanes, laneHeads + 2 laneKvHeads, headDim]
    u64 attention;     ///< [layers, lanes, laneHeads, chunks, headDim + 2]
    u64 outputPartial; ///< [layers, lanes, hidden]: what a lane's attention gives
    u64 outputUpdate;  ///< likewise: what is added to a lane's stream; where all lanes add the same, in lane 0's place
    u64 activation;    ///< [layers, lanes, laneFfn]
    u64 downPartial;   ///< as outputPartial, of the feed-forward block
    u64 downUpdate;    ///< as outputUpdate
    u64 headLanes;     ///< [lanes, hidden]
    u64 headSum;       ///< [hidden]
    u64 summaries;     ///< [2, workgroups, summaryWords]
    u64 logits;        ///< [vocabulary]
    u64 decision;      ///< [2]

    // The KV cache: f32, keys [slot, layer, head][position / 64][headDim / 4][64][4], values [..][position /
    // 4][headDim][4].
    u64 keys, values;
    u64 slotFloats, headFloats;

    // The request.
    u64 tokens;     ///< u32 [promptLength]
    u64 wanted;     ///< u32 [promptLength]: the row of logitsOut for a position's logits, or ~0; 0 when none are wanted
    u64 logitsOut;  ///< f32 [rows, vocabulary]
    u64 stopTokens; ///< u32 [stopCount]
    u64 ring;       ///< pinned u64 [maxTokens, 2]: token and log-probability, each with its tag
    u64 result;     ///< pinned Result
    u64 cancel;     ///< pinned u32
    u32 slot, firstPosition, promptLength, maxTokens;
    u32 stopCount, tagBase, launch, chunkTokens;
    Sampler sampler;
};

/// Words of a workgroup's summary of a step.
enum Summary : u32 { summaryBest, summaryToken, summaryLogit, summaryMax, summarySum, summaryCancel, summaryWords };

static_assert(sizeof(PackedMatrix) == 56 && sizeof(Parameters) % 8 == 0 && sizeof(Parameters) <= 4096);

} // namespace monokernel::kernel
