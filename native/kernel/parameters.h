#pragma once

/// What the host executor tells the kernel: one struct passed by value. Plain 4- and 8-byte fields, so that every
/// compiler lays it out alike. Addresses are device addresses; sizes are in elements unless the name says bytes.
namespace monokernel::kernel {

using u32 = unsigned int;
using u64 = unsigned long long;

/// The weight matrices of a step in the order in which a layer uses them; the head comes once, after the layers.
enum Matrix : u32 { matrixQkv, matrixOutput, matrixGateUp, matrixDown, matrixHead, matrixCount };

/// Devices that can share a model.
constexpr u32 maxDevices = 8;

/// What the host may say in the cancel word while a request runs: end it after this step, or leave every wait, because
/// another device is lost.
enum Cancel : u32 { cancelNothing, cancelRequest, cancelWaits };

/// The home die of memory is that of its page: the least that can be placed.
constexpr u32 pageBytes = 4096;

/// A bf16 weight matrix packed for the matrix cores. A workgroup owns `memberRows` rows of one lane. Wave w has the
/// part w % depthWaves of the inner dimension and the part w / depthWaves of the rows. A block is `blockRows` rows (at
/// most 16) by 32 elements of the inner dimension (a step), and a tile, which a wave multiplies at once, is
/// `tileBlocks` blocks (a constant of the device layer): tileBlocks / tileSteps neighbouring row blocks at each of
/// `tileSteps` steps. A panel is the rows whose sums a wave holds at once: `groups` tiles side by side. A wave uses its
/// tiles in the order [panel][step / tileSteps][group], and fetches `fetchTiles` of a panel at once: one, or several
/// small ones where there is one group. They lie as [layer][lane][member][fetch][wave][tile of the fetch], blocks in a
/// tile as [step][row block]. A part is what a workgroup has of one layer and lane. On a paged target (kernel_target.h)
/// each part lies in pages of its own, anywhere in its layer's `layerBytes`: `pages` tells which.
struct PackedMatrix {
    u64 tiles;
    u64 layerBytes;
    u64 pages;          ///< u32 [layer][lane][member][partPages]: counted from Parameters::weights on
    u32 laneRows;       ///< output rows of a lane
    u32 memberRows;     ///< rows of a workgroup (the last ones may have fewer)
    u32 depth;          ///< inner dimension
    u32 waveChunks;     ///< chunks of 8 elements that a wave covers
    u32 depthWavesLog2; ///< 2^this waves share the inner dimension
    u32 blockRows;      ///< rows of a block
    u32 tileSteps;      ///< steps of a tile, a divisor of tileBlocks
    u32 steps;          ///< steps of a wave's part, padded to whole tiles
    u32 groups;         ///< tiles of a panel at each step
    u32 waveRows;       ///< rows of a wave's panel
    u32 panels;         ///< of a workgroup
    u32 waveFetches;    ///< fetches of a wave
    u32 fetchTiles;     ///< tiles of a fetch
    u32 partPages;      ///< pages that a part fills
};

/// How a layer's partial outputs enter the residual stream of a lane.
enum Reduction : u32 { reductionOwn, reductionPresent, reductionPast };

/// What the head reads: its lane's own stream, the mean over lanes of the normed streams, or the sum of the streams.
enum HeadInput : u32 { headOwnLane, headMeanOfNorms, headSumOfLanes };

/// The edges that a worker can wait for; an expired wait reports one of them.
enum WaitEdge : u32 {
    waitNothing,
    waitNormed,
    waitQueryKeyValue,
    waitCache,
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
    u32 cached;      ///< positions whose keys and values the slot now holds
    u32 prefilled;   ///< prompt positions run
    u32 finishedTag; ///< written last: the request's tagBase
    u32 reserved;
};

struct Parameters {
    PackedMatrix matrices[matrixCount];

    // The model. Lanes are this device's, numbered from 0, unless the name says otherwise.
    u32 layers, lanes, hidden, headDim;
    u32 laneHeads, laneKvHeads, laneFfn, vocabulary;
    u32 broadcastDelay, earlyReduction, lateReduction, headInput;
    u32 window, windowBelow, windowFrom; ///< the window holds on layers < windowBelow or >= windowFrom
    u32 ropeHalves, perLaneNorm, hasBias, hasQkNorm, context;
    float normEpsilon, queryScale, ownScale, laneScale;
    float perHidden, perHeadDim; ///< 1 / hidden, 1 / headDim
    u64 embedding;               ///< bf16 [vocabulary, hidden]
    u64 attentionNorm;           ///< f32 [layers, lanes or 1, hidden]
    u64 ffnNorm;                 ///< likewise
    u64 finalNorm;               ///< f32 [lanes or 1, hidden]
    u64 qkvBias;                 ///< f32 [layers, lanes, laneHeads + 2 laneKvHeads, headDim]
    u64 qkNorm;                  ///< f32 [layers, 2, headDim]
    u64 rope;                    ///< f32 [context, headDim / 2, 2]: cosine, sine

    // The grid and its memory.
    u32 workgroups, members, spinLimit;
    u32 xccs, ringSlots;
    u32 chunks, chunksLog2; ///< of a KV head's cache, a power of two
    u32 headGroup;          ///< query heads a KV head
    u32 queryParts;         ///< workgroups that share a KV head's queries in a decode step: one, or one a query
    u32 tokenShares;        ///< workgroups that a prefill step's tokens are dealt to for a KV head and chunk
    u32 attentionSlots;     ///< passes of attention whose results shared memory holds
    u32 headDimDivisor, kvHeadsDivisor, queryPartsDivisor, tokenSharesDivisor; ///< for quotient(): headDim, ...
    u32 activationsDivisor; ///< likewise, of the activations that a workgroup makes
    u32 turnLanes; ///< lanes that begin a decode step at once; as many more begin when these have their queries
    u32 partialOffset, sumsOffset, scratchOffset,
        ringOffset;   ///< in floats from the start of shared memory; stage is at 0
    u32 partialPitch; ///< in floats, from a panel's partial sums to the next one's
    u64 weights;      ///< where the packed matrices' memory begins, at the start of a page
    u64 residual;     ///< f32 [workgroups, lanes served, hidden], each word private to one thread
    u64 tickets;      ///< u32 [xccs] * 32: roles handed out, never cleared
    // The devices that share the model: this one has the lanes from `firstLane` on of `allLanes`. What lanes of
    // different devices tell each other lies in mailboxes (marked below), which every device has at the same offsets:
    // each writes into all and reads its own.
    u32 device, devices, allLanes, firstLane;
    u64 peers; ///< u64 [devices]: what to add to a mailbox's address for device (device + i) % devices
    u64 abort; ///< mailbox u64: the wait that failed and where, 0 while all is well

    // Edges: 8-byte words of a value and the step's tag, or, where "packed" is said, of two values (words.h).
    u64 queryKeyValue;   ///< [layers, lanes, laneHeads + 2 laneKvHeads, headDim]
    u64 attention;       ///< [layers, lanes, laneHeads, chunks] of chunkWords()
    u64 outputPartial;   ///< mailbox [layers, allLanes, hidden]: what a lane's attention gives
    u64 outputUpdate;    ///< packed [layers, lanes, hidden]: what is added to a stream; where all add the same, in lane
                         ///< 0's
    u64 activation;      ///< packed [layers, lanes, laneFfn]
    u64 downPartial;     ///< as outputPartial, of the feed-forward block
    u64 downUpdate;      ///< as outputUpdate
    u64 headLanes;       ///< mailbox [allLanes, hidden]
    u64 headSum;         ///< packed [hidden]
    u64 summaries;       ///< [2, workgroups, summaryWords]
    u64 deviceSummaries; ///< mailbox [2, devices, summaryWords]: a device's workgroups' summaries in one
    u64 logits;          ///< in device 0's mailboxes: [vocabulary]
    u64 decision;        ///< mailbox [2]: device 0's workgroup 0's

    // Edges of a prefill step, with a place for each of its maxPrefillTokens tokens; [tokens] stands for them.
    u64 prefillScale;         ///< [layers, 2, lanes, tokens]: 1 / rms
    u64 prefillQueryKeyValue; ///< [layers, lanes, tokens, rows of q, k and v]
    u64 prefillCached;        ///< [layers, lanes, tokens, laneKvHeads]: the cache holds this position
    u64 prefillAttention;     ///< [layers, lanes, tokens, laneHeads, chunks] of chunkWords()
    u64 prefillPartial;       ///< packed mailbox [layers, 2, allLanes, tokens, hidden]: what a lane's module gives
    u64 normedReady;          ///< [layers, 2, lanes, waves, tokens]: a wave's part of prefillNormed is there
    u64 headsReady;           ///< [layers, lanes, waves, tokens]: likewise
    u64 activationReady;      ///< [layers, lanes, members]: what a workgroup makes of prefillActivation is there
    // Inputs of a prefill step's products, without tags: inputBytes() a token, read once their edge above says so.
    u64 prefillNormed;     ///< [layers, 2, lanes, tokens] of hidden elements, unscaled
    u64 prefillHeads;      ///< [layers, lanes, tokens] of laneHeads * headDim: the chunks merged
    u64 prefillActivation; ///< [layers, lanes, tokens] of laneFfn
    u64 prefillResidual;   ///< f32 [lanes, tokens, hidden], each token's one workgroup's alone

    // The KV cache: f16, laid out as kv_cache.h says; its strides in elements.
    u64 keys, values;
    u64 slotHalves, headHalves;

    // The request.
    u64 tokens;     ///< u32 [promptLength]
    u64 wanted;     ///< u32 [promptLength]: the row of logitsOut for a position's logits, or ~0; 0 when none are wanted
    u64 logitsOut;  ///< in device 0's mailboxes: f32 [rows, vocabulary]
    u64 stopTokens; ///< u32 [stopCount]
    u64 ring;       ///< pinned u64 [maxTokens, 2]: token and log-probability, each with its tag
    u64 result;     ///< pinned Result
    u64 cancel;     ///< pinned u32
    u64 timeline;   ///< u64 [timelinePlace][Moment] for a kernel built to note times, else 0
    u32 slot, firstPosition, promptLength, maxTokens;
    u32 stopCount, tagBase, launch;
    u32 prefillTokens; ///< prompt tokens a step, up to maxPrefillTokens
    Sampler sampler;
};

/// Tokens that a prefill step can run together: the matrix cores' columns on gfx942, two instructions' on NVIDIA's.
constexpr u32 maxPrefillTokens = 16;

/// Bytes of a vector as the input of a prefill step's product. Of each 8 elements the leading bf16 parts come first,
/// then what these leave.
constexpr u32 inputBytes(u32 elements) { return (elements + 7) / 8 * 32; }

/// Bytes of a vector in packed words, of two elements each (words.h).
constexpr u32 packedBytes(u32 elements) { return elements * 4; }

/// Words in which a head's attention to a chunk of the cache is handed over: tagged ones of the scores' maximum and of
/// the sum of weights, then packed ones of the weighted values.
constexpr u32 chunkWords(u32 headDim) { return 2 + headDim / 2; }

/// Words of a workgroup's summary of a step.
enum Summary : u32 { summaryBest, summaryToken, summaryLogit, summaryMax, summarySum, summaryCancel, summaryWords };

/// A division by a parameter as a product: quotient(value, divisorOf(d)) is value / d where value * d < 2^32. The
/// hardware has no integer division; the compiler's takes some 150 cycles, and stands in attention's way.
constexpr u32 divisorOf(u32 divisor) { return divisor == 1 ? 0 : static_cast<u32>((1ull << 32) / divisor + 1); }

static_assert(sizeof(PackedMatrix) == 80 && sizeof(Parameters) % 8 == 0 && sizeof(Parameters) <= 4096);

} // namespace monokernel::kernel
