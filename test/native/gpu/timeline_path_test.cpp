// How a step's phases follow each other, from notes of clocks that are set and tick differently.

#include "check.h"
#include "kernel/timeline_layout.h"
#include "timeline_path.h"

#include <cmath>

using namespace monokernel;

namespace {

constexpr uint32_t groups = 6, groupWaves = 4, layers = 20;

/// Microseconds after the step's begin at which a wave reaches a moment. A layer takes 20; of a phase, the first wave's
/// input is there at 1, the last's at 1.23; they multiply for 2, one workgroup for half a microsecond more, and end
/// 0.25 later.
double reached(uint32_t wave, uint32_t layer, uint32_t place, uint32_t moment) {
    const uint32_t group = wave / groupWaves;
    const double begin = 20.0 * layer + 4.0 * place, input = begin + 1.0 + 0.01 * wave;
    const double multiplied = input + 2.0 + (group == 3 ? 0.5 : 0.0);
    return moment == kernel::momentBegin        ? begin
           : moment == kernel::momentInput      ? input
           : moment == kernel::momentMultiplied ? multiplied
                                                : multiplied + 0.25;
}

/// A multiprocessor's clock of its own rate and beginning, which goes round, and the device's, which ticks every 32 ns.
uint64_t noteAt(uint32_t group, double microseconds) {
    const double rate = 1700.0 + 10.0 * group;
    const auto ticks = static_cast<uint64_t>(4.2949e9 + 1e7 * group + rate * microseconds);
    const auto wall = static_cast<uint64_t>(4294967296.0 - 100'000.0 + 1e3 * microseconds) / 32 * 32;
    return wall << 32 | (ticks & 0xffffffff);
}

bool near(double value, double expected) { return std::abs(value - expected) < 0.02; }

} // namespace

/// The hand-over, the spread of the waves and the one that is late, though each multiprocessor has a clock of its own
/// and both clocks go round during the step; attention is some workgroups' only.
TEST(aStepsPathIsReadFromClocksThatDiffer) {
    const auto note = [](uint32_t wave, uint32_t layer, uint32_t phase, uint32_t moment) -> uint64_t {
        const uint32_t group = wave / groupWaves;
        const uint32_t place = phase == kernel::phaseQkv         ? 0
                               : phase == kernel::phaseAttention ? 1
                               : phase == kernel::phaseOutput    ? 2
                               : phase == kernel::phaseGateUp    ? 3
                                                                 : 4;
        const bool idle = phase == kernel::phaseAttention && group >= 2 && moment != kernel::momentBegin;
        return idle ? 0 : noteAt(group, reached(wave, layer, place, moment));
    };
    const auto path = bench::pathOf({groups * groupWaves, groupWaves, layers, 1e-3, note});
    CHECK(path.size() == 5);
    for (size_t i = 0; i < path.size(); i++) {
        // A phase's last wave ends at 3.25 and 0.15 of its number, and half a microsecond for workgroup 3; attention's
        // is wave 7.
        const bool afterAttention = i == 2, attention = i == 1;
        const double since = 4.0 - (afterAttention ? 3.25 + 0.07 : 3.25 + 0.15 + 0.5);
        const double median = attention ? 0.04 : 0.12, last = attention ? 0.07 : 0.23;
        const bench::PhasePath &p = path[i];
        CHECK_MESSAGE(near(p.input[0], since + 1.0) && near(p.input[1], since + 1.0 + median) &&
                          near(p.input[2], since + 1.0 + last),
                      std::to_string(i) + ": " + std::to_string(p.input[0]));
        const double late = attention ? last : 0.15 + 0.5;
        CHECK(near(p.multiplied[0], since + 3.0) && near(p.multiplied[2], since + 3.0 + late));
        CHECK(near(p.ended[2], since + 3.25 + late));
    }
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
