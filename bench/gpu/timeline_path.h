#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

namespace bench {

/// A decode step as the kernel noted it.
struct NotedStep {
    uint32_t waves, wavesOfGroup, layers;
    double wallMicroseconds; ///< that the device's clock counts in
    /// What a wave noted of a moment (timeline_notes.h), 0 for nothing.
    std::function<uint64_t(uint32_t wave, uint32_t layer, uint32_t phase, uint32_t moment)> note;
};

/// The first, the median and the last wave's time, in microseconds after the last wave ended the phase before.
using WaveTimes = std::array<double, 3>;

struct PhasePath {
    uint32_t phase;
    WaveTimes input, multiplied, ended;
};

/// How a step's phases follow each other where each waits for all of the one before, as in a device's only lane:
/// medians over layers. What lies between a phase's last end and the next one's first input is the hand-over; what lies
/// between the median and the last wave, others wait for.
std::vector<PhasePath> pathOf(const NotedStep &step);

} // namespace bench
