// What a workgroup's shared memory has room for on devices with more and with less of it.

#include "check.h"
#include "exec/executor.h"
#include "exec/gpu/gpu_layout.h"
#include "plan/tensor_parallel.h"

using namespace monokernel;

namespace {

/// As far as a layout cares, a card with 46 multiprocessors.
const GpuDevice graphicsCard{.target = "sm_80", .name = "test", .computeUnits = 46, .sharedBytes = 99 << 10};

/// Qwen2.5 7B's dimensions.
ModelSpec sevenBillion() {
    ModelSpec spec;
    spec.family = Family::qwen2;
    spec.vocabularySize = 152064;
    spec.hiddenSize = 3584;
    spec.layerCount = 28;
    spec.headCount = 28;
    spec.kvHeadCount = 4;
    spec.headDim = 128;
    spec.ffnSize = 18944;
    spec.maxPositions = 4096;
    spec.ropeInverseFrequency.assign(64, 1.0f);
    return spec;
}

} // namespace

/// The ring of weights takes what a device's shared memory leaves, and a model that leaves too little says so.
TEST(aDeviceWithLessSharedMemoryHasAShorterRing) {
    const Plan plan = makePlan(tensorParallel(sevenBillion(), 4));
    const GpuLayout small = layOut(plan, graphicsCard, {{}, 1, 0});
    GpuDevice ampere = graphicsCard;
    ampere.sharedBytes = 0;
    const GpuLayout large = layOut(plan, ampere, {{}, 1, 0});
    CHECK(small.sharedBytes <= graphicsCard.sharedBytes && small.parameters.ringSlots >= 2);
    CHECK(large.parameters.ringSlots > small.parameters.ringSlots && large.sharedBytes <= 163 << 10);
    ampere.sharedBytes = 48 << 10;
    try {
        layOut(plan, ampere, {{}, 1, 0});
        CHECK(false);
    } catch (const LaneTooWideError &error) {
        CHECK(std::string(error.what()).find("the device has 49152") != std::string::npos);
    }
}

/// Fetches that would leave the L1 little give way to it, but for the last four; a lane that leaves them room has six.
TEST(theRingLeavesTheCacheRoom) {
    const GpuDevice hopper{.target = "sm_90", .name = "test", .computeUnits = 132};
    const auto layoutOf = [&](uint32_t hidden, uint32_t heads, uint32_t ffn) {
        ModelSpec spec = sevenBillion();
        spec.hiddenSize = hidden;
        spec.headCount = heads;
        spec.ffnSize = ffn;
        return layOut(makePlan(spec), hopper, {{}, 1, 0});
    };
    const GpuLayout narrow = layoutOf(1536, 12, 8960), wide = layoutOf(4096, 32, 14336);
    const GpuLayout widest = layoutOf(5120, 40, 27648);
    CHECK(narrow.parameters.ringSlots == 6 && narrow.sharedBytes <= narrow.target.roomyBytes);
    CHECK(wide.parameters.ringSlots == 5 && wide.sharedBytes <= wide.target.roomyBytes);
    CHECK(widest.parameters.ringSlots == 4 && widest.sharedBytes > widest.target.roomyBytes);
    for (const GpuLayout &layout : {narrow, wide, widest}) { // what attention leaves in a pass has room
        CHECK(layout.parameters.attentionSlots > 0 && layout.sharedBytes <= layout.target.sharedBytes);
    }
}

/// Two panels' partial sums never share a word, whether they lie side by side or one after the other.
TEST(panelsThatTakeTurnsLieApart) {
    for (const char *target : {"sm_80", "sm_90", "gfx942"}) {
        for (const uint32_t units : {46u, 108u, 132u, 304u}) {
            const GpuLayout layout =
                layOut(makePlan(tensorParallel(sevenBillion(), 4)), {target, "test", 0, units, 0}, {{}, 1, 0});
            const kernel::Parameters &p = layout.parameters;
            for (const kernel::PackedMatrix &m : p.matrices) {
                const uint32_t depthWaves = 1u << m.depthWavesLog2,
                               rows = layout.target.waves() / depthWaves * m.waveRows;
                const uint32_t end =
                    (depthWaves - 1) * 256 + rows; // of a panel's sums, as kernel/matrix_product.h has them
                const bool sideBySide = p.partialPitch < 256;
                CHECK(sideBySide ? rows <= p.partialPitch : end <= p.partialPitch);
                CHECK(p.partialOffset + p.partialPitch + end <= p.sumsOffset);
            }
        }
    }
}

/// A plain transformer whose lane is too wide for a workgroup's shared memory (Qwen2.5 7B's dimensions) says so, and
/// fits as two lanes, or four on a graphics card.
TEST(aLaneThatIsTooWideFitsAsTwo) {
    const ModelSpec spec = sevenBillion();
    const auto widthError = [&](const GpuDevice &device, uint32_t lanes) {
        try {
            layOut(makePlan(tensorParallel(spec, lanes)), device, {{}, 1, 0});
        } catch (const LaneTooWideError &error) {
            return std::string(error.what());
        }
        return std::string();
    };
    const GpuDevice mi300x{"gfx942", "test", 0, 304, 0};
    CHECK_MESSAGE(widthError(mi300x, 1).find("the device has 65536") != std::string::npos, widthError(mi300x, 1));
    CHECK_MESSAGE(widthError(mi300x, 2).empty(), widthError(mi300x, 2));
    CHECK(!widthError(graphicsCard, 2).empty());
    CHECK_MESSAGE(widthError(graphicsCard, 4).empty(), widthError(graphicsCard, 4));
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
