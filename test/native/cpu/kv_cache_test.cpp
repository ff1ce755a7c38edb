// Keys and values lie in the cache as packed panels do, in each format that an instruction set asks for.

#include "check.h"
#include "exec/cpu/cpu_features.h"
#include "exec/cpu/kv_cache.h"
#include "exec/cpu/panel_packing.h"

#include <cmath>
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

float elementOf(uint32_t position, uint32_t d) {
    return static_cast<float>(position) + static_cast<float>(d) / 16;
} // 11 bits

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

float keyAt(const KvCache &cache, WeightFormat format, uint32_t position, uint32_t d) {
    const std::byte *panel = cache.keys(slot, layer, head, position / chunkPositions);
    return panelElement(format, panelBlocks, panel, position % chunkPositions, d);
}

float valueAt(const KvCache &cache, WeightFormat format, uint32_t position, uint32_t d) {
    const std::byte *panel = cache.values(slot, layer, head, position / chunkPositions);
    return panelElement(format, blocks, panel, d, position % chunkPositions);
}

} // namespace

TEST(rowsAreWhereThePanelsHaveThem) {
    const ModelSpec spec = smallSpec();
    for (const InstructionSet &set : instructionSets()) {
        const WeightFormat format = set.kernels->cacheFormat;
        KvCache cache(spec, 2, 100, format);
        for (uint32_t position = 0; position < 100; position++) {
            write(cache, *set.kernels, position, rowOf(spec, position));
        }
        for (uint32_t position = 0; position < 100; position++) {
            for (uint32_t d = 0; d < spec.headDim; d++) {
                CHECK(keyAt(cache, format, position, d) == elementOf(position, d));
                CHECK(valueAt(cache, format, position, d) == elementOf(position, d));
            }
        }
    }
}

TEST(whatIsFiniteStaysFinite) {
    const ModelSpec spec = smallSpec();
    for (const InstructionSet &set : instructionSets()) {
        const WeightFormat format = set.kernels->cacheFormat;
        KvCache cache(spec, 2, 100, format);
        std::vector<float> row(width);
        row[0] = 3e38f;
        row[1] = -3e38f;
        row[2] = std::numeric_limits<float>::quiet_NaN();
        write(cache, *set.kernels, 0, row);
        CHECK(keyAt(cache, format, 0, 0) > 65000.0f && std::isfinite(keyAt(cache, format, 0, 0)));
        CHECK(keyAt(cache, format, 0, 1) < -65000.0f && std::isfinite(keyAt(cache, format, 0, 1)));
        CHECK(std::isnan(keyAt(cache, format, 0, 2)));
    }
}

/// Two positions share a line of values in f16, and attention reads whole lines.
TEST(nothingStaleSharesALineWithTheLastPosition) {
    const ModelSpec spec = smallSpec();
    for (const InstructionSet &set : instructionSets()) {
        const WeightFormat format = set.kernels->cacheFormat;
        if (lineDepth(format) != 2) {
            continue;
        }
        KvCache cache(spec, 2, 100, format);
        write(cache, *set.kernels, 70, rowOf(spec, 70));
        write(cache, *set.kernels, 71, std::vector<float>(width, std::numeric_limits<float>::quiet_NaN()));
        write(cache, *set.kernels, 70, rowOf(spec, 70));
        CHECK(valueAt(cache, format, 71, 3) == 0.0f);
        write(cache, *set.kernels, 71, rowOf(spec, 71));
        CHECK(valueAt(cache, format, 70, 3) == elementOf(70, 3));
    }
}
