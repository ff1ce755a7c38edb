#include "exec/gpu/kernel_constants.h"

#include <array>
#include <cstring>

namespace monokernel {

namespace {

using kernel::Parameters;

constexpr std::array wholeNumbers{
    &Parameters::layers,
    &Parameters::lanes,
    &Parameters::hidden,
    &Parameters::headDim,
    &Parameters::laneHeads,
    &Parameters::laneKvHeads,
    &Parameters::laneFfn,
    &Parameters::vocabulary,
    &Parameters::broadcastDelay,
    &Parameters::earlyReduction,
    &Parameters::lateReduction,
    &Parameters::headInput,
    &Parameters::window,
    &Parameters::windowBelow,
    &Parameters::windowFrom,
    &Parameters::ropeHalves,
    &Parameters::perLaneNorm,
    &Parameters::hasBias,
    &Parameters::hasQkNorm,
    &Parameters::workgroups,
    &Parameters::members,
    &Parameters::xccs,
    &Parameters::ringSlots,
    &Parameters::chunks,
    &Parameters::chunksLog2,
    &Parameters::headGroup,
    &Parameters::queryParts,
    &Parameters::tokenShares,
    &Parameters::attentionSlots,
    &Parameters::headDimDivisor,
    &Parameters::kvHeadsDivisor,
    &Parameters::queryPartsDivisor,
    &Parameters::tokenSharesDivisor,
    &Parameters::activationsDivisor,
    &Parameters::turnLanes,
    &Parameters::partialOffset,
    &Parameters::sumsOffset,
    &Parameters::scratchOffset,
    &Parameters::ringOffset,
    &Parameters::partialPitch,
    &Parameters::device,
    &Parameters::devices,
    &Parameters::allLanes,
    &Parameters::firstLane,
};
constexpr std::array numbers{
    &Parameters::normEpsilon, &Parameters::queryScale, &Parameters::ownScale,
    &Parameters::laneScale,   &Parameters::perHidden,  &Parameters::perHeadDim,
};

template <class Field> KernelConstant constantOf(const Parameters &parameters, Field field) {
    const auto &value = parameters.*field;
    static_assert(sizeof value == sizeof(uint32_t));
    KernelConstant constant{};
    constant.offset = static_cast<uint32_t>(reinterpret_cast<const std::byte *>(&value) -
                                            reinterpret_cast<const std::byte *>(&parameters));
    std::memcpy(&constant.bits, &value, sizeof value);
    return constant;
}

} // namespace

std::vector<KernelConstant> kernelConstants(const Parameters &parameters) {
    std::vector<KernelConstant> constants;
    for (const auto field : wholeNumbers) {
        constants.push_back(constantOf(parameters, field));
    }
    for (const auto field : numbers) {
        constants.push_back(constantOf(parameters, field));
    }
    return constants;
}

} // namespace monokernel
