// The host's side of the GPU engine: how matrices are cut into tiles and packed.

#include "check.h"
#include "exec/gpu/matrix_packing.h"
#include "golden_agreement.h"

#include <array>
#include <cstring>
#include <vector>

using namespace monokernel;

namespace {

/// Multiplies as the kernel does: each wave its part, tile by tile, from the packed bytes.
std::vector<double> multiplyPacked(const KernelTarget &t, const kernel::PackedMatrix &m,
                                   const std::vector<std::byte> &packed, const std::vector<double> &x, uint32_t rows) {
    std::vector<double> y(rows, 0.0);
    const uint32_t rowBlocks = t.tileBlocks / m.tileSteps, blockBytes = m.blockRows * 64;
    const uint32_t tileBytes = t.tileBlocks * blockBytes;
    std::vector<bool> read(packed.size(), false);
    for (uint32_t wave = 0; wave < t.waves(); wave++) {
        const uint32_t part = wave % (1u << m.depthWavesLog2), rowWave = wave / (1u << m.depthWavesLog2);
        for (uint32_t tile = 0; tile < m.waveFetches * m.fetchTiles; tile++) {
            const uint32_t group = tile % m.groups, panel = tile / m.groups / (m.steps / m.tileSteps);
            const uint32_t firstStep = tile / m.groups % (m.steps / m.tileSteps) * m.tileSteps;
            for (uint32_t unit = 0; unit < t.tileBlocks * m.blockRows * 32; unit++) {
                const uint32_t block = unit / (m.blockRows * 32), row = unit / 32 % m.blockRows, k = unit % 32;
                const uint64_t at = (uint64_t{tile / m.fetchTiles} * t.waves() + wave) * m.fetchTiles * tileBytes +
                                    tile % m.fetchTiles * tileBytes + block * blockBytes +
                                    elementOffset(t, m.blockRows, row, k);
                CHECK(!read[at]);
                read[at] = true;
                uint16_t bits;
                std::memcpy(&bits, packed.data() + at, 2);
                const uint32_t inWave = (firstStep + block / rowBlocks) * 32 + k;
                const uint32_t index = part * m.waveChunks * 8 + inWave;
                const uint32_t memberRow = (panel * (t.waves() / (1u << m.depthWavesLog2)) + rowWave) * m.waveRows +
                                           (group * rowBlocks + block % rowBlocks) * m.blockRows + row;
                const bool real = memberRow < rows && inWave < m.waveChunks * 8 && index < m.depth;
                CHECK(real || bits == 0);
                if (real) {
                    y[memberRow] += x[index] * bits;
                }
            }
        }
    }
    return y;
}

void checkPacking(const KernelTarget &target, uint32_t laneRows, uint32_t depth, uint32_t members,
                  const CutRules &rules) {
    const kernel::PackedMatrix m = chooseLayout(target, laneRows, depth, members, rules);
    CHECK(m.steps % m.tileSteps == 0 && target.tileBlocks % m.tileSteps == 0 && m.blockRows <= 16);
    CHECK(m.waveRows * (target.waves() / (1u << m.depthWavesLog2)) <= 256 && m.groups <= target.maxGroups);
    CHECK(!rules.ownSlices || (1u << m.depthWavesLog2) == target.waves());
    const bool oneRun = m.groups * m.panels * (target.waves() / (1u << m.depthWavesLog2)) == 1;
    const uint32_t panelTiles = m.steps / m.tileSteps * m.groups;
    CHECK(m.fetchTiles > 0 && panelTiles % m.fetchTiles == 0 && (m.groups == 1 || m.fetchTiles == 1));
    CHECK(m.waveFetches * m.fetchTiles == m.panels * panelTiles);
    CHECK(m.fetchTiles * target.tileBlocks * m.blockRows * 64 <= target.maxTileBytes());
    CHECK(oneRun || target.tileBlocks / m.tileSteps * m.blockRows % rules.rowMultiple == 0);
    std::vector<double> x(depth);
    for (uint32_t k = 0; k < depth; k++) {
        x[k] = 1 + k % 7;
    }
    std::vector<uint16_t> values(depth);
    const auto row = [&](uint32_t r) {
        for (uint32_t k = 0; k < depth; k++) {
            values[k] = static_cast<uint16_t>(1 + (r * 31 + k * 17) % 251);
        }
        return std::span<const uint16_t>(values);
    };
    for (uint32_t member = 0; member < members; member++) {
        const uint32_t first = std::min(member * m.memberRows, laneRows),
                       count = std::min(m.memberRows, laneRows - first);
        std::vector<std::byte> packed(memberBytes(target, m), std::byte{0xff});
        packMember(target, m, member, row, packed);
        const std::vector<double> y = multiplyPacked(target, m, packed, x, count);
        for (uint32_t r = 0; r < count; r++) {
            double expected = 0.0;
            const std::span<const uint16_t> w = row(first + r);
            for (uint32_t k = 0; k < depth; k++) {
                expected += x[k] * w[k];
            }
            CHECK(y[r] == expected);
        }
    }
}

} // namespace

TEST(everyWeightIsPackedOnceWhereTheKernelReadsIt) {
    for (const char *name : {"gfx942", "sm_90"}) {
        for (const auto &[rows, depth, members] : {std::array{48u, 3072u, 1u},
                                                   {37u, 136u, 3u},
                                                   {5u, 16u, 2u},
                                                   {3u, 8u, 4u},
                                                   {64u, 384u, 1u},
                                                   {160u, 320u, 1u},
                                                   {243u, 512u, 1u},
                                                   {7u, 1160u, 1u}}) {
            for (const CutRules &rules : {CutRules{}, {1, true}, {2, true}}) {
                checkPacking(kernelTarget(name), rows, depth, members, rules);
            }
        }
    }
}

TEST(theLargeShapeHasNoPaddingToSpeakOf) {
    const KernelTarget &target = kernelTarget("sm_90");
    for (const auto &[rows, depth] : {std::array{768u, 3072u}, {3072u, 384u}, {3072u, 3072u}, {3072u, 1536u}}) {
        const kernel::PackedMatrix m = chooseLayout(target, rows, depth, 16, {});
        CHECK(memberBytes(target, m) * 16 == uint64_t{rows} * depth * 2);
    }
}

TEST(smallTilesAreFetchedTogetherWhereThereIsARing) {
    const auto fetchTiles = [](const char *name, uint32_t rows, uint32_t depth, uint32_t members) {
        return chooseLayout(kernelTarget(name), rows, depth, members, {.ownSlices = true}).fetchTiles;
    };
    CHECK(fetchTiles("sm_90", 768, 3072, 16) == 1);  // whole tiles
    CHECK(fetchTiles("sm_90", 768, 3072, 32) == 2);  // 24 rows a workgroup: tiles of half the size
    CHECK(fetchTiles("sm_90", 768, 3072, 128) == 2); // a block of 6 rows, three steps a tile
    CHECK(fetchTiles("gfx942", 768, 3072, 128) == 1);
}

/// Without it the last matrix of a Llama of 1.5B was cut into 35 fetches of 768 bytes a wave, one of 1B's into 43.
TEST(aLittlePaddingIsTakenForLargerFetches) {
    struct Case {
        uint32_t rows, depth;
    };
    const KernelTarget &target = kernelTarget("sm_90");
    for (const auto &[rows, depth] : {Case{1536, 8960}, {2048, 8192}, {2048, 11008}, {4096, 4096}, {896, 4864}}) {
        const kernel::PackedMatrix m = chooseLayout(target, rows, depth, 128, {.rowMultiple = 2});
        const uint64_t bytes = memberBytes(target, m), fetches = uint64_t{m.waveFetches} * target.waves();
        CHECK(bytes / fetches >= 1536);
        CHECK(bytes * 8 <= uint64_t{m.memberRows} * depth * 2 * 9); // an eighth of padding at most
    }
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
