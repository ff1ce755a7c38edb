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
template <class Fits> Shares tried(uint32_t lanes, size_t found, const Fits &fits) {
    Shares shares;
    const bool made = makeFirstThatFits(withLanes(lanes), found, [&](const GpuShare &share) {
        shares.emplace_back(share.devices, share.lanesADevice);
        fits(share);
    });
    CHECK(made == !shares.empty());
    return shares;
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
            makeFirstThatFits(withLanes(1), 2, [&](const GpuShare &share) {
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
