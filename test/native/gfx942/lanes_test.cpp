#include "check.h"
#include "test_kernel.h"

#include <bit>
#include <functional>

using namespace gfx942;

namespace {

u32 valueAt(u32 lane) { return 3 * lane + 2; }

/// Runs one operation over a workgroup whose lane l of each wave holds valueAt(l) and checks the first wave;
/// `expected(lane, old)` is a lane's result.
void expectLanes(u32 operation, const char *name, const std::function<u32(u32, u32)> &expected) {
    std::vector<u32> input(256);
    for (u32 i = 0; i < 256; i++) {
        input[i] = valueAt(i % 64);
    }
    const auto result = run<u32>(lanes::kernel, operation, input, 256);
    for (u32 lane = 0; lane < 64; lane++) {
        if (!CHECK_MESSAGE(result[lane] == expected(lane, lane + 5000), std::string(name) + " lane " +
                                                                            std::to_string(lane) + " is " +
                                                                            std::to_string(result[lane]))) {
            return;
        }
    }
}

} // namespace

TEST(dataParallelPrimitives) {
    expectLanes(0, "quad_perm 1032", [](u32 l, u32) { return valueAt(l ^ 1); });
    expectLanes(1, "quad_perm 3210", [](u32 l, u32) { return valueAt(l ^ 3); });
    expectLanes(2, "row_shl:3", [](u32 l, u32) { return l % 16 < 13 ? valueAt(l + 3) : 0; });
    expectLanes(3, "row_shr:5", [](u32 l, u32 old) { return l % 16 >= 5 ? valueAt(l - 5) : old; });
    expectLanes(4, "row_ror:4", [](u32 l, u32) { return valueAt(l / 16 * 16 + (l + 12) % 16); });
    expectLanes(5, "row_mirror", [](u32 l, u32) { return valueAt(l ^ 15); });
    expectLanes(6, "row_half_mirror", [](u32 l, u32) { return valueAt(l ^ 7); });
    expectLanes(7, "row_bcast:15", [](u32 l, u32 old) { return l / 16 % 2 == 1 ? valueAt(l / 16 * 16 - 1) : old; });
    expectLanes(8, "row_bcast:31", [](u32 l, u32 old) { return l >= 32 ? valueAt(31) : old; });
    expectLanes(9, "row_ror:8 masked", [](u32 l, u32 old) {
        const bool on = l / 16 % 2 == 0 && (l % 16 / 4 == 0 || l % 16 / 4 == 3);
        return on ? valueAt(l ^ 8) : old;
    });
    expectLanes(21, "row_shr:1 from inactive lanes", [](u32, u32 old) { return old; });
}

TEST(exchangeThroughTheCrossbar) {
    expectLanes(10, "ds_bpermute", [](u32 l, u32) { return valueAt(valueAt(l) * 7 % 64) + 1000; });
    expectLanes(11, "ds_permute", [](u32 l, u32) { return valueAt(l * 13 % 64); }); // 5 * 13 = 1 modulo 64
    expectLanes(12, "ds_swizzle xor 16", [](u32 l, u32) { return valueAt(l ^ 16); });
    expectLanes(13, "ds_swizzle quads", [](u32 l, u32) { return valueAt(l ^ 1); });
}

TEST(valuesOfTheWholeWave) {
    expectLanes(14, "v_readlane", [](u32, u32) { return valueAt(37); });
    expectLanes(15, "v_readfirstlane", [](u32, u32) { return valueAt(0); });
    u64 votes = 0;
    for (u32 l = 0; l < 64; l++) {
        votes |= static_cast<u64>((valueAt(l) & 4) != 0) << l;
    }
    expectLanes(16, "ballot", [=](u32, u32) { return static_cast<u32>(votes) ^ static_cast<u32>(votes >> 32); });
    expectLanes(17, "mbcnt", [](u32 l, u32) { return l; });
    expectLanes(18, "v_writelane", [](u32 l, u32) { return l == 20 ? 7 : valueAt(l); });
    expectLanes(19, "wave sum", [](u32, u32) { return std::bit_cast<u32>(64 * 2 + 3 * 63 * 32.0f); });
    expectLanes(20, "divergent loop", [](u32 l, u32) { return valueAt(l) < 40 ? (40 - valueAt(l) + 2) / 3 : 0; });
}

TEST(workgroupsGoRoundTheDies) {
    const auto result = run<u32>(lanes::kernel, 22, std::vector<u32>(2560), 2560, {.workgroups = 10});
    for (u32 group = 0; group < 10; group++) {
        CHECK(result[group * 256] == group % 8);
    }
}
