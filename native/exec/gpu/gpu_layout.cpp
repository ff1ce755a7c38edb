#include "exec/gpu/gpu_layout.h"

#include "exec/gpu/gpu_grid.h"
#include "exec/gpu/gpu_shared_memory.h"
#include "exec/gpu/matrix_packing.h"
#include "exec/gpu/weight_placement.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace monokernel {

namespace {

using kernel::PackedMatrix;
using kernel::Parameters;

constexpr uint32_t maxHeadDim = 256;       ///< as in kernel/attention.h
constexpr uint32_t positionsOfBlock = 64;  ///< as in kernel/kv_cache.h
constexpr uint32_t spinLimit = 20'000'000; ///< polls of one wait: some ten seconds
static_assert(maxGpuDevices == kernel::maxDevices);

/// Lanes begin a token in so many turns where a layer has at least so many bytes on a device: measured, 35 MB lose 2 %
/// by it and 63 MB gain as much.
constexpr uint32_t turns = 4;
constexpr uint64_t contendedLayerBytes = 48ull << 20;

constexpr uint64_t alignment = 256;
constexpr uint64_t word = 8; ///< bytes of a value with its tag

constexpr std::array ownFields{
    &Parameters::embedding,
    &Parameters::attentionNorm,
    &Parameters::ffnNorm,
    &Parameters::finalNorm,
    &Parameters::qkvBias,
    &Parameters::qkNorm,
    &Parameters::rope,
    &Parameters::weights,
    &Parameters::residual,
    &Parameters::tickets,
    &Parameters::peers,
    &Parameters::queryKeyValue,
    &Parameters::attention,
    &Parameters::activation,
    &Parameters::outputUpdate,
    &Parameters::downUpdate,
    &Parameters::headSum,
    &Parameters::summaries,
    &Parameters::keys,
    &Parameters::values,
    &Parameters::prefillScale,
    &Parameters::prefillQueryKeyValue,
    &Parameters::prefillCached,
    &Parameters::prefillAttention,
    &Parameters::normedReady,
    &Parameters::headsReady,
    &Parameters::activationReady,
    &Parameters::prefillNormed,
    &Parameters::prefillHeads,
    &Parameters::prefillActivation,
    &Parameters::prefillResidual,
    &Parameters::tokens,
    &Parameters::wanted,
    &Parameters::stopTokens,
};
constexpr std::array mailboxFields{
    &Parameters::abort,     &Parameters::outputPartial,   &Parameters::downPartial,
    &Parameters::headLanes, &Parameters::deviceSummaries, &Parameters::logits,
    &Parameters::decision,  &Parameters::prefillPartial,  &Parameters::logitsOut,
};

void require(bool condition, const std::string &message) {
    if (!condition) {
        throw ExecutionError("this model cannot run on the GPU: " + message);
    }
}

/// Offsets handed out one after the other.
class Arena {
public:
    uint64_t take(uint64_t bytes) {
        const uint64_t at = end_;
        end_ = (end_ + bytes + alignment - 1) / alignment * alignment;
        return at;
    }
    uint64_t end() const { return end_; }

private:
    uint64_t end_ = 0;
};

void describeModel(Parameters &p, const ModelSpec &spec, uint32_t context, uint32_t devices) {
    p.layers = spec.layerCount;
    p.allLanes = spec.laneCount;
    p.devices = devices;
    p.lanes = spec.laneCount / devices;
    p.hidden = spec.hiddenSize;
    p.headDim = spec.headDim;
    p.laneHeads = spec.headsPerLane();
    p.laneKvHeads = spec.kvHeadsPerLane();
    p.laneFfn = spec.ffnPerLane();
    p.vocabulary = spec.vocabularySize;
    p.context = context;
    p.prefillTokens = kernel::maxPrefillTokens;
    p.ropeHalves = spec.ropePairs == RopePairs::halves ? 1 : 0;
    p.perLaneNorm = spec.perLaneNorm ? 1 : 0;
    p.hasBias = spec.qkvBias ? 1 : 0;
    p.hasQkNorm = spec.qkNorm ? 1 : 0;
    p.normEpsilon = spec.normEpsilon;
    p.queryScale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.headDim)) * 1.4426950408889634);
    p.laneScale = 1.0f / static_cast<float>(spec.laneCount);
    p.perHidden = 1.0f / static_cast<float>(p.hidden);
    p.perHeadDim = 1.0f / static_cast<float>(p.headDim);
    p.headGroup = p.laneHeads / p.laneKvHeads;
    p.headDimDivisor = kernel::divisorOf(p.headDim);
    p.kvHeadsDivisor = kernel::divisorOf(p.laneKvHeads);
}

kernel::Reduction kernelReduction(const ModelSpec &spec, LaneReduction reduction) {
    if (spec.laneCount == 1) {
        return kernel::reductionOwn; // of one lane all three are the same
    }
    switch (reduction) {
    case LaneReduction::scaledOwn:
        return kernel::reductionOwn;
    case LaneReduction::present:
        return kernel::reductionPresent;
    case LaneReduction::past:
        break;
    }
    return spec.broadcastDelay == 0 ? kernel::reductionPresent : kernel::reductionPast;
}

void describeLanes(Parameters &p, const ModelSpec &spec) {
    const uint32_t delayed = std::min(spec.broadcastDelay, spec.layerCount);
    p.broadcastDelay = delayed;
    p.earlyReduction = kernelReduction(spec, spec.reduction(0));
    p.lateReduction = kernelReduction(spec, spec.reduction(spec.layerCount - 1));
    if (delayed == 0) {
        p.earlyReduction = p.lateReduction;
    } else if (delayed == spec.layerCount) {
        p.lateReduction = p.earlyReduction;
    }
    p.ownScale = spec.laneCount == 1 ? 1.0f : std::sqrt(static_cast<float>(spec.laneCount));
    for (uint32_t layer = 0; layer < spec.layerCount; layer++) {
        const auto expected = kernelReduction(spec, spec.reduction(layer));
        require(expected == (layer < delayed ? p.earlyReduction : p.lateReduction),
                "an unknown order of lane reductions");
    }
    if (spec.laneCount == 1 || spec.headType == HeadType::vocabularyParallel) {
        p.headInput = kernel::headOwnLane;
    } else {
        p.headInput = spec.preNormLaneAggregation ? kernel::headSumOfLanes : kernel::headMeanOfNorms;
    }
}

/// The layers with a window are the first or the last ones: as two bounds.
void describeWindow(Parameters &p, const ModelSpec &spec) {
    p.window = spec.slidingWindow;
    p.windowBelow = 0;
    while (p.windowBelow < spec.layerCount && spec.window(p.windowBelow) != 0) {
        p.windowBelow++;
    }
    p.windowFrom = spec.layerCount;
    while (p.windowFrom > p.windowBelow && spec.window(p.windowFrom - 1) != 0) {
        p.windowFrom--;
    }
    for (uint32_t layer = 0; layer < spec.layerCount; layer++) {
        const bool windowed = layer < p.windowBelow || layer >= p.windowFrom;
        require(windowed == (spec.window(layer) != 0),
                "its sliding-window layers are neither the first nor the last ones");
    }
}

/// Whether placing by a map makes sense: the target can, its dies are told apart, and every home has pages.
bool placesBy(const PageMap &map, const GpuLayout &layout) {
    return layout.target.paged && layout.parameters.xccs > 1 && !map.isIdentity() &&
           std::ranges::all_of(map.pagesOfHomes(), [](uint32_t pages) { return pages > 0; });
}

void placeWeights(GpuLayout &layout, Arena &arena) {
    Parameters &p = layout.parameters;
    for (uint32_t i = 0; i < kernel::matrixCount; i++) {
        const auto matrix = static_cast<kernel::Matrix>(i);
        PackedMatrix &m = p.matrices[i];
        const uint64_t partBytes = memberBytes(layout.target, m);
        m.partPages = static_cast<uint32_t>((partBytes + kernel::pageBytes - 1) / kernel::pageBytes);
        m.layerBytes = layout.target.paged ? pagesOfLayer(p, matrix, layout.pageMap) * kernel::pageBytes
                                           : partBytes * partsOf(p, matrix);
        m.tiles = arena.take(m.layerBytes * (i == kernel::matrixHead ? 1 : p.layers));
    }
    layout.weightBytes = arena.end();
}

/// Whether a token's lanes should begin in turn: where they share a memory, do not wait for each other in every layer,
/// and a layer takes longer to read than its phases take to hand over. Measured: docs/performance.md, "Lanes apart".
bool lanesInTurn(const GpuLayout &layout) {
    const Parameters &p = layout.parameters;
    uint64_t layerBytes = 0;
    for (uint32_t i = 0; i < kernel::matrixHead; i++) {
        layerBytes += p.matrices[i].layerBytes;
    }
    return layout.target.dies == 1 && p.lanes > 1 && p.broadcastDelay > 0 && layerBytes >= contendedLayerBytes;
}

/// The page numbers, and two more after a matrix's last ones, which the kernel reads with them.
void placePageNumbers(GpuLayout &layout, Arena &arena) {
    Parameters &p = layout.parameters;
    for (uint32_t i = 0; i < kernel::matrixCount && layout.target.paged; i++) {
        const uint64_t layers = i == kernel::matrixHead ? 1 : p.layers;
        const uint64_t numbers = layers * partsOf(p, static_cast<kernel::Matrix>(i)) * p.matrices[i].partPages;
        p.matrices[i].pages = arena.take((numbers + 2) * sizeof(uint32_t));
    }
}

void placeConstants(Parameters &p, Arena &arena) {
    const uint64_t normLanes = p.perLaneNorm != 0 ? p.lanes : 1, hidden = p.hidden;
    const uint64_t qkvRows = static_cast<uint64_t>(p.laneHeads + 2 * p.laneKvHeads) * p.headDim;
    p.embedding = arena.take(hidden * p.vocabulary * 2);
    p.attentionNorm = arena.take(p.layers * normLanes * hidden * 4);
    p.ffnNorm = arena.take(p.layers * normLanes * hidden * 4);
    p.finalNorm = arena.take(normLanes * hidden * 4);
    p.qkvBias = arena.take(p.hasBias != 0 ? p.layers * p.lanes * qkvRows * 4 : 4);
    p.qkNorm = arena.take(p.hasQkNorm != 0 ? p.layers * 2ull * p.headDim * 4 : 4);
    p.rope = arena.take(static_cast<uint64_t>(p.context) * p.headDim * 4);
    p.peers = arena.take(p.devices * sizeof(uint64_t));
}

void placeEdges(GpuLayout &layout, Arena &arena) {
    Parameters &p = layout.parameters;
    const uint64_t layers = p.layers, lanes = p.lanes, hidden = p.hidden;
    layout.edgesBegin = arena.end();
    p.tickets = arena.take(p.xccs * 32ull * 4);
    p.queryKeyValue = arena.take(layers * lanes * p.matrices[kernel::matrixQkv].laneRows * word);
    p.attention = arena.take(layers * lanes * p.laneHeads * p.chunks * kernel::chunkWords(p.headDim) * word);
    p.activation = arena.take(layers * lanes * kernel::packedBytes(p.laneFfn));
    p.outputUpdate = arena.take(layers * lanes * kernel::packedBytes(p.hidden));
    p.downUpdate = arena.take(layers * lanes * kernel::packedBytes(p.hidden));
    p.headSum = arena.take(kernel::packedBytes(p.hidden));
    p.summaries = arena.take(2ull * p.workgroups * kernel::summaryWords * word);
    const uint64_t steps = layers * lanes * kernel::maxPrefillTokens; // (layer, lane, token)
    p.prefillScale = arena.take(2 * steps * word);
    p.prefillQueryKeyValue = arena.take(steps * p.matrices[kernel::matrixQkv].laneRows * word);
    p.prefillCached = arena.take(steps * p.laneKvHeads * word);
    p.prefillAttention = arena.take(steps * p.laneHeads * p.chunks * kernel::chunkWords(p.headDim) * word);
    p.normedReady = arena.take(2 * steps * layout.target.waves() * word);
    p.headsReady = arena.take(steps * layout.target.waves() * word);
    p.activationReady = arena.take(layers * lanes * p.members * word);
    p.prefillNormed = arena.take(2 * steps * kernel::inputBytes(p.hidden)); // what is not written must be finite
    p.prefillHeads = arena.take(steps * kernel::inputBytes(p.laneHeads * p.headDim));
    p.prefillActivation = arena.take(steps * kernel::inputBytes(p.laneFfn));
    layout.edgesEnd = arena.end();
    p.prefillResidual = arena.take(lanes * kernel::maxPrefillTokens * hidden * 4);
    p.residual = arena.take(lanes * p.members * hidden * 4);
}

/// The edges between lanes of different devices.
void placeMailboxes(GpuLayout &layout) {
    Parameters &p = layout.parameters;
    const uint64_t lanes = uint64_t{p.layers} * p.allLanes, vector = kernel::packedBytes(p.hidden);
    Arena arena;
    p.abort = arena.take(word);
    p.outputPartial = arena.take(lanes * p.hidden * word);
    p.downPartial = arena.take(lanes * p.hidden * word);
    p.headLanes = arena.take(uint64_t{p.allLanes} * p.hidden * word);
    p.deviceSummaries = arena.take(2ull * p.devices * kernel::summaryWords * word);
    p.logits = arena.take(p.vocabulary * word);
    p.decision = arena.take(2 * word);
    p.prefillPartial = arena.take(2 * lanes * kernel::maxPrefillTokens * vector);
    layout.mailboxEdgesEnd = arena.end();
    layout.logitsCapacity = std::min(p.context, 256u);
    p.logitsOut = arena.take(uint64_t{layout.logitsCapacity} * p.vocabulary * sizeof(float));
    layout.mailboxBytes = arena.end();
}

void placeRequest(GpuLayout &layout, Arena &arena) {
    Parameters &p = layout.parameters;
    layout.tokenCapacity = p.context;
    layout.stopCapacity = 4096;
    p.tokens = arena.take(layout.tokenCapacity * 4ull);
    p.wanted = arena.take(layout.tokenCapacity * 4ull);
    p.stopTokens = arena.take(layout.stopCapacity * 4ull);
}

void placeCache(GpuLayout &layout, Arena &arena) {
    Parameters &p = layout.parameters;
    const uint64_t positions =
        (static_cast<uint64_t>(p.context) + positionsOfBlock - 1) / positionsOfBlock * positionsOfBlock;
    p.headHalves = positions * p.headDim;
    p.slotHalves = p.headHalves * p.layers * p.lanes * p.laneKvHeads;
    p.keys = arena.take(p.slotHalves * layout.slots * 2);
    p.values = arena.take(p.slotHalves * layout.slots * 2);
}

} // namespace

GpuLayout layOut(const Plan &plan, const GpuDevice &device, const GpuOptions &options, uint32_t devices) {
    const ModelSpec &spec = plan.spec;
    GpuLayout layout;
    layout.target = kernelTarget(device.target);
    if (device.sharedBytes != 0) {
        layout.target.sharedBytes = std::min(layout.target.sharedBytes, device.sharedBytes);
        layout.target.roomyBytes = std::min(layout.target.roomyBytes, layout.target.sharedBytes);
    }
    layout.slots = std::max(1u, options.slots);
    Parameters &p = layout.parameters;
    const uint32_t context =
        options.contextLength == 0 ? spec.maxPositions : std::min(options.contextLength, spec.maxPositions);
    require(spec.headDim % 8 == 0 && spec.headDim <= maxHeadDim, "its head size is not a multiple of 8 up to 256");
    require(spec.hiddenSize % 4 == 0 && spec.ffnPerLane() % 4 == 0,
            "its hidden or FFN size a lane is not a multiple of 4");
    require(devices > 0 && devices <= kernel::maxDevices && spec.laneCount % devices == 0,
            "its " + std::to_string(spec.laneCount) + " lanes cannot be dealt out evenly to " +
                std::to_string(devices) + " devices");
    describeModel(p, spec, context, devices);
    describeLanes(p, spec);
    describeWindow(p, spec);
    p.spinLimit = spinLimit;
    describeGrid(p, device, layout.target, spec);
    describeSharedMemory(layout);
    Arena arena;
    layout.pageMap =
        options.pageHomes.locate && placesBy(options.pageHomes.map, layout) ? options.pageHomes.map : PageMap();
    placeWeights(layout, arena);
    p.turnLanes = options.lanesInTurn.value_or(lanesInTurn(layout)) ? std::max(1u, p.lanes / turns) : p.lanes;
    placePageNumbers(layout, arena);
    placeConstants(p, arena);
    placeEdges(layout, arena);
    placeRequest(layout, arena);
    placeCache(layout, arena);
    layout.ownBytes = arena.end();
    placeMailboxes(layout);
    return layout;
}

Parameters parametersOf(const GpuLayout &layout, uint32_t index) {
    Parameters p = layout.parameters;
    p.device = index;
    p.firstLane = index * p.lanes;
    return p;
}

void rebase(Parameters &p, uint64_t own, uint64_t mailboxes) {
    for (PackedMatrix &m : p.matrices) {
        m.tiles += own;
        m.pages += own;
    }
    for (const auto field : ownFields) {
        p.*field += own;
    }
    for (const auto field : mailboxFields) {
        p.*field += mailboxes;
    }
}

} // namespace monokernel
