// Which shares of GPUs a model is tried with, and which failure is told.

#include "../check.h"
#include "engine/gpu_shares.h"
#include "exec/executor.h"
#include "model/model_error.h"

#include <string>
#include <vector>

using namespace monokernel;

namespace {

using Shares = std::vector<std::pair<uint32_t, uint32_t>>; ///< devices, lanes a device

ModelSpec withLanes(uint32_t lanes) {
    ModelSpec spec;
    spec.laneCount = lanes;
    return spec;
}

/// What is tried when a share fits that fits(devices, lanes a device).
template <class Fits> Shares tried(const ModelSpec &spec, const GpusFound &found, const Fits &fits) {
    Shares shares;
    const bool made = makeFirstThatFits(spec, found, [&](const GpuShare &share) {
        shares.emplace_back(share.devices, share.lanesADevice);
        fits(share);
    });
    CHECK(made == !shares.empty());
    return shares;
}
template <class Fits> Shares tried(uint32_t lanes, size_t found, const Fits &fits) {
    return tried(withLanes(lanes), {found, false}, fits);
}

ModelSpec plain(uint32_t hidden, uint32_t heads, uint32_t kvHeads, uint32_t headDim, uint32_t ffn) {
    ModelSpec spec;
    spec.hiddenSize = hidden;
    spec.headCount = heads;
    spec.kvHeadCount = kvHeads;
    spec.headDim = headDim;
    spec.ffnSize = ffn;
    return spec;
}

} // namespace

TEST(aLaneformerGetsAsManyDevicesAsHaveWholeLanes) {
    const auto fits = [](const GpuShare &) {};
    CHECK((tried(8, 8, fits) == Shares{{8, 1}}));
    CHECK((tried(8, 3, fits) == Shares{{2, 1}}));
    CHECK((tried(6, 4, fits) == Shares{{2, 1}}));
    CHECK(tried(8, 0, fits).empty());
}

TEST(aPlainModelGetsMoreDevicesWhereItDoesNotFit) {
    const auto needsFour = [](const GpuShare &share) {
        if (share.devices < 4) {
            throw ModelError(ModelErrorCode::memory, "too small");
        }
    };
    CHECK((tried(1, 8, needsFour) == Shares{{1, 1}, {2, 1}, {4, 1}}));
}

/// Qwen2.5's sizes: a layer of the 7B has 466 MB, of the 1.5B 94, of the 0.5B 30.
TEST(aPlainModelGetsTheLinkedDevicesThatItsLayersAreLargeEnoughFor) {
    const auto fits = [](const GpuShare &) {};
    const ModelSpec large = plain(3584, 28, 4, 128, 18944), middle = plain(1536, 12, 2, 128, 8960);
    CHECK((tried(large, {8, true}, fits) == Shares{{8, 1}}));
    CHECK((tried(large, {3, true}, fits) == Shares{{2, 1}}));
    CHECK((tried(large, {8, false}, fits) == Shares{{1, 1}}));
    CHECK((tried(middle, {8, true}, fits) == Shares{{2, 1}}));
    CHECK((tried(plain(896, 14, 2, 64, 4864), {8, true}, fits) == Shares{{1, 1}}));
    const auto never = [](const GpuShare &share) { throw ExecutionError(std::to_string(share.devices)); };
    Shares all;
    try {
        makeFirstThatFits(middle, {8, true}, [&](const GpuShare &share) {
            all.emplace_back(share.devices, share.lanesADevice);
            never(share);
        });
    } catch (const ExecutionError &error) {
        CHECK(std::string(error.what()) == "1");
    }
    CHECK((all == Shares{{2, 1}, {4, 1}, {8, 1}, {1, 1}}));
}

TEST(aPlainModelGetsMoreLanesOnlyWhereOneIsTooWide) {
    const auto wide = [](const GpuShare &share) {
        if (share.devices * share.lanesADevice < 2) {
            throw LaneTooWideError("too wide");
        }
    };
    CHECK((tried(1, 1, wide) == Shares{{1, 1}, {1, 2}}));
    CHECK((tried(1, 8, wide) == Shares{{1, 1}, {2, 1}}));
}

TEST(whatOneDeviceThrewIsTold) {
    Shares shares;
    bool roomy = true;
    const auto told = [&] {
        try {
            makeFirstThatFits(withLanes(1), {2, false}, [&](const GpuShare &share) {
                shares.emplace_back(share.devices, share.lanesADevice);
                if (share.devices == 2) {
                    throw ExecutionError("two");
                }
                if (share.lanesADevice > 1 && !roomy) {
                    throw ModelError(ModelErrorCode::memory, "too little memory");
                }
                throw LaneTooWideError("one, " + std::to_string(share.lanesADevice));
            });
        } catch (const std::exception &error) {
            return std::string(error.what());
        }
        return std::string("nothing was thrown");
    };
    CHECK_MESSAGE(told() == "one, 1", told());
    shares.resize(8);
    CHECK((shares == Shares{{1, 1}, {2, 1}, {1, 2}, {2, 2}, {1, 4}, {2, 4}, {1, 8}, {2, 8}}));
    roomy = false;
    CHECK_MESSAGE(told().find("too little memory") != std::string::npos, told());
}
