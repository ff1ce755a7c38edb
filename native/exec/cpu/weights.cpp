#include "exec/cpu/weights.h"

#include "exec/cpu/panel_packing.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace monokernel::cpu {

namespace {

/// Rows of gate (and of up) in one panel.
constexpr uint32_t gateRows = panelRows / 2;

uint32_t ceilDivide(uint32_t value, uint32_t by) { return (value + by - 1) / by; }

uint32_t blocksOf(uint32_t rows) { return ceilDivide(rows, blockRows); }

/// A matrix whose units are runs of up to `unitRows` rows, one panel each, of `copies` interleaved tensors.
PackedMatrix describeRows(WeightFormat format, uint32_t depth, uint32_t lanes, uint32_t rows, uint32_t unitRows,
                          uint32_t copies, uint32_t workers) {
    PackedMatrix matrix{format, depth, ceilDivide(rows, unitRows), 1, {}, {}};
    for (uint32_t lane = 0; lane < lanes; lane++) {
        for (uint32_t row = 0; row < rows; row += unitRows) {
            const uint32_t here = std::min(unitRows, rows - row);
            matrix.panels.push_back({nullptr, copies * blocksOf(here), row, here});
        }
    }
    matrix.workers = placeRows(lanes, matrix.unitsPerLane, 1, workers).workers;
    return matrix;
}

/// A matrix whose units are heads, each filled up to whole blocks.
PackedMatrix describeHeads(WeightFormat format, uint32_t depth, uint32_t lanes, uint32_t heads, uint32_t headDim,
                           uint32_t workers) {
    PackedMatrix matrix{format, depth, heads, ceilDivide(headDim, panelRows), {}, {}};
    const auto paddedDim = static_cast<uint32_t>(roundUp(headDim, blockRows));
    for (uint32_t head = 0; head < lanes * heads; head++) {
        for (uint32_t row = 0; row < headDim; row += panelRows) {
            const uint32_t here = std::min(panelRows, headDim - row);
            matrix.panels.push_back({nullptr, blocksOf(here), head % heads * paddedDim + row, here});
        }
    }
    matrix.workers = placeRows(lanes, heads, 1, workers).workers;
    return matrix;
}

PanelSource rowsOf(const TensorView &tensor, const Panel &panel, uint64_t laneFirstRow) {
    PanelSource source;
    for (uint32_t r = 0; r < panel.rows; r++) {
        source[r] = {&tensor, laneFirstRow + panel.firstRow + r};
    }
    return source;
}

PanelSource gateUpRows(const LayerTensors &tensors, const Panel &panel, uint64_t laneFirstRow) {
    PanelSource source;
    for (uint32_t r = 0; r < panel.rows; r++) {
        source[r] = {&tensors.gate, laneFirstRow + panel.firstRow + r};
        source[panel.blocks / 2 * blockRows + r] = {&tensors.up, laneFirstRow + panel.firstRow + r};
    }
    return source;
}

/// Which tensor, and which head of it, a head unit of a lane is.
struct HeadSource {
    const TensorView *tensor;
    uint32_t head;
};

HeadSource headSource(const ModelSpec &spec, const LayerTensors &tensors, uint32_t lane, uint32_t unit) {
    const uint32_t queries = spec.headsPerLane(), keys = spec.kvHeadsPerLane();
    if (unit < queries) {
        return {&tensors.query, lane * queries + unit};
    }
    unit -= queries;
    return unit < keys ? HeadSource{&tensors.key, lane * keys + unit}
                       : HeadSource{&tensors.value, lane * keys + unit - keys};
}

PanelSource headRows(const ModelSpec &spec, const LayerTensors &tensors, const PackedMatrix &matrix, uint32_t index) {
    const Panel &panel = matrix.panels[index];
    const uint32_t unit = index / matrix.panelsPerUnit;
    const HeadSource head = headSource(spec, tensors, unit / matrix.unitsPerLane, unit % matrix.unitsPerLane);
    const uint32_t rowInHead = index % matrix.panelsPerUnit * panelRows;
    PanelSource source;
    for (uint32_t r = 0; r < panel.rows; r++) {
        source[r] = {head.tensor, uint64_t{head.head} * spec.headDim + rowInHead + r};
    }
    return source;
}

/// A matrix and where each of its panels comes from.
struct Recipe {
    PackedMatrix *matrix;
    std::function<PanelSource(uint32_t panel)> source;
};

std::vector<Recipe> layerRecipes(const ModelSpec &spec, const LayerTensors &tensors, LayerWeights &layer) {
    const auto rows = [](const PackedMatrix &matrix, const TensorView &tensor, uint32_t rowsPerLane) {
        return [&matrix, &tensor, rowsPerLane](uint32_t index) {
            return rowsOf(tensor, matrix.panels[index], uint64_t{index / matrix.unitsPerLane} * rowsPerLane);
        };
    };
    return {{&layer.qkv, [&](uint32_t index) { return headRows(spec, tensors, layer.qkv, index); }},
            {&layer.output, rows(layer.output, tensors.output, spec.hiddenSize)},
            {&layer.gateUp,
             [&](uint32_t index) {
                 const uint64_t lane = index / layer.gateUp.unitsPerLane;
                 return gateUpRows(tensors, layer.gateUp.panels[index], lane * spec.ffnPerLane());
             }},
            {&layer.down, rows(layer.down, tensors.down, spec.hiddenSize)}};
}

/// Bytes of the units [range.begin, range.end).
uint64_t bytesOf(const PackedMatrix &matrix, Range range) {
    uint64_t bytes = 0;
    for (uint32_t unit = range.begin; unit < range.end; unit++) {
        for (const Panel &panel : matrix.unit(unit)) {
            bytes += panelBytes(matrix.format, panel.blocks, matrix.depth);
        }
    }
    return bytes;
}

/// Gives the worker's panels their places from `next` on; returns the end.
std::byte *placePanels(PackedMatrix &matrix, uint32_t worker, std::byte *next) {
    const Range units = matrix.workers[worker];
    for (size_t i = size_t{units.begin} * matrix.panelsPerUnit; i < size_t{units.end} * matrix.panelsPerUnit; i++) {
        matrix.panels[i].data = next;
        next += panelBytes(matrix.format, matrix.panels[i].blocks, matrix.depth);
    }
    return next;
}

/// Fills the worker's panels, which lie in `arena`.
void packPanels(const Recipe &recipe, uint32_t worker, const PageMemory &arena) {
    const PackedMatrix &matrix = *recipe.matrix;
    const Range units = matrix.workers[worker];
    for (uint32_t i = units.begin * matrix.panelsPerUnit; i < units.end * matrix.panelsPerUnit; i++) {
        std::byte *out = arena.data() + (matrix.panels[i].data - arena.data());
        packPanel(matrix.format, matrix.panels[i].blocks, matrix.depth, recipe.source(i), out);
    }
}

/// A tensor of rows of `width` elements as f32, each row filled with zeros to a multiple of 16.
std::vector<float> paddedRows(const TensorView &tensor, uint32_t width) {
    const uint64_t rows = tensor.elementCount() / width;
    const size_t padded = roundUp(width, blockRows);
    std::vector<float> out(rows * padded);
    for (uint64_t row = 0; row < rows; row++) {
        readElements(tensor, row * width, std::span(out).subspan(row * padded, width));
    }
    return out;
}

/// The biases in the order of the rows of qkv.
std::vector<float> packBias(const ModelSpec &spec, const LayerTensors &tensors, const PackedMatrix &qkv) {
    const size_t paddedDim = roundUp(spec.headDim, blockRows);
    const uint32_t units = spec.laneCount * qkv.unitsPerLane;
    std::vector<float> out(units * paddedDim);
    for (uint32_t unit = 0; unit < units; unit++) {
        const HeadSource head = headSource(spec, tensors, unit / qkv.unitsPerLane, unit % qkv.unitsPerLane);
        const TensorView &bias = head.tensor == &tensors.query ? tensors.queryBias
                                 : head.tensor == &tensors.key ? tensors.keyBias
                                                               : tensors.valueBias;
        readElements(bias, uint64_t{head.head} * spec.headDim, std::span(out).subspan(unit * paddedDim, spec.headDim));
    }
    return out;
}

LayerWeights describeLayer(const ModelSpec &spec, const LayerTensors &tensors, bool quantized, uint32_t workers) {
    const auto formatFor = [quantized](std::span<const DataType> types) {
        return quantized ? WeightFormat::int8 : exactFormat(types);
    };
    const std::array qkvTypes{tensors.query.type, tensors.key.type, tensors.value.type};
    const std::array gateUpTypes{tensors.gate.type, tensors.up.type};
    const uint32_t hidden = spec.hiddenSize, lanes = spec.laneCount;
    LayerWeights layer;
    layer.qkv = describeHeads(formatFor(qkvTypes), hidden, lanes, spec.headsPerLane() + 2 * spec.kvHeadsPerLane(),
                              spec.headDim, workers);
    layer.output = describeRows(formatFor({&tensors.output.type, 1}), spec.headsPerLane() * spec.headDim, lanes, hidden,
                                panelRows, 1, workers);
    layer.gateUp = describeRows(formatFor(gateUpTypes), hidden, lanes, spec.ffnPerLane(), gateRows, 2, workers);
    layer.down =
        describeRows(formatFor({&tensors.down.type, 1}), spec.ffnPerLane(), lanes, hidden, panelRows, 1, workers);
    layer.attentionNorm = paddedRows(tensors.attentionNorm, hidden);
    layer.ffnNorm = paddedRows(tensors.ffnNorm, hidden);
    if (spec.qkvBias) {
        layer.qkvBias = packBias(spec, tensors, layer.qkv);
    }
    if (spec.qkNorm) {
        layer.queryNorm = paddedRows(tensors.queryNorm, spec.headDim);
        layer.keyNorm = paddedRows(tensors.keyNorm, spec.headDim);
    }
    return layer;
}

} // namespace

uint64_t PackedMatrix::bytes() const {
    return bytesOf(*this, {0, static_cast<uint32_t>(panels.size() / panelsPerUnit)});
}

Weights::Weights(const Model &model, bool quantized, WorkerPool &pool, const std::function<void(double)> &progress)
    : spec_(model.spec()), finalNorm_(paddedRows(model.finalNorm(), model.spec().hiddenSize)) {
    describe(model, quantized, pool.size());
    pack(model, pool, progress);
}

void Weights::describe(const Model &model, bool quantized, uint32_t workers) {
    for (const LayerTensors &tensors : model.layers()) {
        layers_.push_back(describeLayer(spec_, tensors, quantized, workers));
    }
    const uint32_t headLanes = spec_.headType == HeadType::vocabularyParallel ? spec_.laneCount : 1;
    const WeightFormat headFormat = quantized ? WeightFormat::int8 : exactFormat({&model.head().type, 1});
    head_ =
        describeRows(headFormat, spec_.hiddenSize, headLanes, spec_.vocabularySize / headLanes, panelRows, 1, workers);
    for (uint32_t worker = 0; worker < workers; worker++) {
        uint64_t bytes = bytesOf(head_, head_.workers[worker]);
        for (const LayerWeights &layer : layers_) {
            for (const PackedMatrix *matrix : {&layer.qkv, &layer.output, &layer.gateUp, &layer.down}) {
                bytes += bytesOf(*matrix, matrix->workers[worker]);
            }
        }
        arenas_.emplace_back(bytes, PageMemory::Pages::huge);
        std::byte *next = arenas_.back().data();
        for (LayerWeights &layer : layers_) {
            for (PackedMatrix *matrix : {&layer.qkv, &layer.output, &layer.gateUp, &layer.down}) {
                next = placePanels(*matrix, worker, next);
            }
        }
        placePanels(head_, worker, next);
    }
}

void Weights::pack(const Model &model, WorkerPool &pool, const std::function<void(double)> &progress) {
    const double total = static_cast<double>(bytes());
    double done = 0;
    const auto packAll = [&](const std::vector<Recipe> &recipes) {
        pool.run([&](uint32_t worker) {
            for (const Recipe &recipe : recipes) {
                packPanels(recipe, worker, arenas_[worker]);
            }
        });
        for (const Recipe &recipe : recipes) {
            done += static_cast<double>(recipe.matrix->bytes());
        }
        progress(std::min(1.0, done / total));
    };

    progress(0.0);
    for (size_t i = 0; i < layers_.size(); i++) {
        const LayerTensors &t = model.layers()[i];
        packAll(layerRecipes(spec_, t, layers_[i]));
        for (const TensorView *tensor : {&t.query, &t.key, &t.value, &t.output, &t.gate, &t.up, &t.down}) {
            releaseFilePages(tensor->bytes);
        }
    }
    packAll({{&head_, [&](uint32_t index) {
                  const uint64_t lane = index / head_.unitsPerLane;
                  return rowsOf(model.head(), head_.panels[index],
                                lane * (spec_.vocabularySize / (head_.panels.size() / head_.unitsPerLane)));
              }}});
    releaseFilePages(model.head().bytes);
    if (!spec_.tiedEmbeddings) {
        const std::span<const std::byte> source = model.embedding().bytes;
        embedding_ = PageMemory(source.size(), PageMemory::Pages::huge);
        embeddingType_ = model.embedding().type;
        std::memcpy(embedding_.data(), source.data(), source.size());
        releaseFilePages(source);
    }
    progress(1.0);
}

void Weights::embedding(int32_t token, float *out) const {
    const auto row = static_cast<uint64_t>(token);
    const uint32_t hidden = spec_.hiddenSize;
    if (embedding_.size() != 0) {
        const TensorView table{embeddingType_, {spec_.vocabularySize, hidden}, {embedding_.data(), embedding_.size()}};
        readElements(table, row * hidden, {out, hidden});
        return;
    }
    const uint64_t rowsPerLane = spec_.vocabularySize / (head_.panels.size() / head_.unitsPerLane);
    const uint64_t inLane = row % rowsPerLane;
    const Panel &panel = head_.panels[row / rowsPerLane * head_.unitsPerLane + inLane / panelRows];
    readPanelRow(head_.format, panel.blocks, panel.data, static_cast<uint32_t>(inLane % panelRows), {out, hidden});
}

uint64_t Weights::bytesPerToken() const {
    uint64_t sum = head_.bytes();
    for (const LayerWeights &layer : layers_) {
        sum += layer.qkv.bytes() + layer.output.bytes() + layer.gateUp.bytes() + layer.down.bytes();
    }
    return sum;
}

uint64_t Weights::bytes() const { return bytesPerToken() + embedding_.size(); }

} // namespace monokernel::cpu
