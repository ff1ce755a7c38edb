// Keys and values lie in the cache as packed panels do, in each format that an instruction set asks for, and attention
// takes no notice of what is behind the last position.

#include "check.h"
#include "exec/cpu/cpu_features.h"
#include "exec/cpu/kv_cache.h"
#include "exec/cpu/panel_packing.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace monokernel;
using namespace monokernel::cpu;

namespace {

constexpr uint32_t slot = 1, layer = 1, head = 2, width = 32, blocks = width / blockRows;

ModelSpec smallSpec() {
    ModelSpec spec;
    spec.layerCount = 2;
    spec.kvHeadCount = 3;
    spec.headDim = 24; // not a multiple of a block's rows
    return spec;
}

float elementOf(uint32_t position, uint32_t d) { return static_cast<float>(position) + static_cast<float>(d) / 16; }

std::vector<float> rowOf(const ModelSpec &spec, uint32_t position) {
    std::vector<float> row(width);
    for (uint32_t d = 0; d < spec.headDim; d++) {
        row[d] = elementOf(position, d);
    }
    return row;
}

void write(KvCache &cache, const Kernels &kernels, uint32_t position, const std::vector<float> &row) {
    std::vector<float> rounded(width);
    kernels.toCache(row.data(), width, rounded.data());
    cache.writeKey(slot, layer, head, position, rounded.data());
    cache.writeValue(slot, layer, head, position, rounded.data());
}

/// Element `k` of row `row` of a panel; in int16 without its scale.
float elementAt(CacheFormat format, uint32_t panelBlockCount, const std::byte *panel, uint32_t row, uint32_t k) {
    if (format == CacheFormat::f32) {
        return panelElement(WeightFormat::f32, panelBlockCount, panel, row, k);
    }
    int16_t element;
    const size_t word = (size_t{k / 2} * panelBlockCount + row / blockRows) * blockRows + row % blockRows;
    std::memcpy(&element, panel + (2 * word + k % 2) * sizeof element, sizeof element);
    return element;
}

float keyAt(const KvCache &cache, CacheFormat format, uint32_t position, uint32_t d) {
    const uint32_t chunk = position / chunkPositions, row = position % chunkPositions;
    const float scale = format == CacheFormat::f32 ? 1.0f : cache.keyScales(slot, layer, head, chunk)[row];
    return scale * elementAt(format, panelBlocks, cache.keys(slot, layer, head, chunk), row, d);
}

float valueAt(const KvCache &cache, CacheFormat format, uint32_t position, uint32_t d) {
    const uint32_t chunk = position / chunkPositions, line = position % chunkPositions;
    const float scale = format == CacheFormat::f32 ? 1.0f : cache.valueScales(slot, layer, head, chunk)[line];
    return scale * elementAt(format, blocks, cache.values(slot, layer, head, chunk), d, line);
}

/// What an element may be off: half a step of the row's scale.
float rounding(CacheFormat format, const std::vector<float> &row) {
    float largest = 0.0f;
    for (const float element : row) {
        largest = std::max(largest, std::abs(element));
    }
    return format == CacheFormat::f32 ? 0.0f : largest / 4095.0f * 0.501f;
}

/// What a token at position 70 attends to of the cache's chunks, where no other key is to be seen.
std::vector<float> attended(const KvCache &cache, const Kernels &kernels, uint32_t headDim) {
    std::vector<float> query(width, 0.25f), row(width);
    kernels.toCache(query.data(), width, row.data());
    std::vector<float> state(attentionStateWidth(width));
    state[width] = -std::numeric_limits<float>::infinity();
    for (uint32_t chunk = 0; chunk < 2; chunk++) {
        kernels.attendChunk({.keys = cache.keys(slot, layer, head, chunk),
                             .values = cache.values(slot, layer, head, chunk),
                             .keyScales = cache.keyScales(slot, layer, head, chunk),
                             .valueScales = cache.valueScales(slot, layer, head, chunk),
                             .headDim = headDim,
                             .valueWidth = width,
                             .rows = 1,
                             .rowsPerToken = 1,
                             .chunkStart = chunk * chunkPositions,
                             .firstToken = 70,
                             .window = 0,
                             .queries = row.data(),
                             .queryStride = width,
                             .state = state.data()});
    }
    std::vector<float> out(headDim);
    kernels.finishState(state.data(), width, headDim, out.data());
    return out;
}

} // namespace

TEST(rowsAreWhereThePanelsHaveThem) {
    const ModelSpec spec = smallSpec();
    for (const InstructionSet &set : instructionSets()) {
        const CacheFormat format = set.kernels->cacheFormat;
        KvCache cache(spec, 2, 100, format);
        for (uint32_t position = 0; position < 100; position++) {
            write(cache, *set.kernels, position, rowOf(spec, position));
        }
        for (uint32_t position = 0; position < 100; position++) {
            for (uint32_t d = 0; d < spec.headDim; d++) {
                const float most = rounding(format, rowOf(spec, position));
                CHECK(std::abs(keyAt(cache, format, position, d) - elementOf(position, d)) <= most);
                CHECK(std::abs(valueAt(cache, format, position, d) - elementOf(position, d)) <= most);
            }
        }
    }
}

TEST(whatIsFiniteStaysFinite) {
    const ModelSpec spec = smallSpec();
    for (const InstructionSet &set : instructionSets()) {
        const CacheFormat format = set.kernels->cacheFormat;
        KvCache cache(spec, 2, 100, format);
        std::vector<float> row(width);
        row[0] = 3e38f;
        row[1] = -3e38f;
        write(cache, *set.kernels, 0, row);
        CHECK(keyAt(cache, format, 0, 0) > 65000.0f && std::isfinite(keyAt(cache, format, 0, 0)));
        CHECK(keyAt(cache, format, 0, 1) < -65000.0f && std::isfinite(keyAt(cache, format, 0, 1)));
        for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            row[2] = bad;
            write(cache, *set.kernels, 0, row);
            CHECK(!std::isfinite(keyAt(cache, format, 0, 2)));
            CHECK(!std::isfinite(valueAt(cache, format, 0, 2)));
        }
    }
}

/// Two positions share a line of values in int16, and attention reads whole lines and chunks.
TEST(nothingStaleIsAttended) {
    const ModelSpec spec = smallSpec();
    for (const InstructionSet &set : instructionSets()) {
        KvCache clean(spec, 2, 100, set.kernels->cacheFormat), used(spec, 2, 100, set.kernels->cacheFormat);
        for (uint32_t position = 0; position < 100; position++) {
            std::vector<float> stale(width, std::numeric_limits<float>::quiet_NaN());
            stale[position % width] = position % 2 == 0 ? 3e38f : -std::numeric_limits<float>::infinity();
            write(used, *set.kernels, position, stale);
        }
        for (uint32_t position = 0; position <= 70; position++) {
            std::vector<float> row = rowOf(spec, position);
            row[0] -= static_cast<float>(position); // weights that do not all go to the last
            write(clean, *set.kernels, position, row);
            write(used, *set.kernels, position, row);
        }
        const std::vector<float> expected = attended(clean, *set.kernels, spec.headDim);
        const std::vector<float> found = attended(used, *set.kernels, spec.headDim);
        for (uint32_t d = 0; d < spec.headDim; d++) {
            CHECK(std::isfinite(expected[d]));
            CHECK(std::bit_cast<uint32_t>(found[d]) == std::bit_cast<uint32_t>(expected[d]));
        }
    }
}
