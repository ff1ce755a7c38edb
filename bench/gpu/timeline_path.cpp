#include "timeline_path.h"

#include "kernel/timeline_layout.h"
#include "median.h"
#include "timeline_notes.h"

#include <algorithm>

namespace bench {

namespace kernel = monokernel::kernel;

namespace {

constexpr std::array<uint32_t, 5> order{kernel::phaseQkv, kernel::phaseAttention, kernel::phaseOutput,
                                        kernel::phaseGateUp, kernel::phaseDown};
constexpr uint32_t moments = kernel::momentCount;

/// A workgroup's ticks as the device's time, whose clock may tick seldom: the line that fits best through its notes.
class WallLine {
public:
    WallLine(const NotedStep &step, uint32_t group, uint64_t epoch) {
        const uint32_t first = group * step.wavesOfGroup;
        origin_ = step.note(first, 0, order.front(), kernel::momentBegin);
        double count = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;
        for (uint32_t wave = first; wave < first + step.wavesOfGroup; wave++) {
            for (uint32_t layer = 0; layer < step.layers; layer++) {
                for (uint32_t i = 0; i < order.size() * moments; i++) {
                    const uint64_t note = step.note(wave, layer, order[i / moments], i % moments);
                    if (note != 0) {
                        const double ticks = static_cast<int32_t>(ticksBetween(origin_, note));
                        const double wall = wallBetween(epoch, note) * step.wallMicroseconds;
                        count += 1.0;
                        x += ticks;
                        y += wall;
                        xx += ticks * ticks;
                        xy += ticks * wall;
                    }
                }
            }
        }
        slope_ = (count * xy - x * y) / (count * xx - x * x);
        offset_ = (y - slope_ * x) / count;
    }
    /// Microseconds after the epoch.
    double at(uint64_t note) const { return offset_ + slope_ * static_cast<int32_t>(ticksBetween(origin_, note)); }

private:
    uint64_t origin_ = 0;
    double slope_ = 0.0, offset_ = 0.0;
};

/// A phase's waves in one layer, by moment, sorted.
using Waves = std::array<std::vector<double>, moments>;

Waves wavesOf(const NotedStep &step, const std::vector<WallLine> &lines, uint32_t layer, uint32_t phase) {
    Waves times;
    for (uint32_t wave = 0; wave < step.waves; wave++) {
        if (step.note(wave, layer, phase, kernel::momentInput) == 0) {
            continue; // no unit of attention
        }
        for (uint32_t moment = 0; moment < moments; moment++) {
            times[moment].push_back(lines[wave / step.wavesOfGroup].at(step.note(wave, layer, phase, moment)));
        }
    }
    for (std::vector<double> &sorted : times) {
        std::ranges::sort(sorted);
    }
    return times;
}

/// The medians over layers of a moment's first, median and last wave.
class MomentLayers {
public:
    void add(const std::vector<double> &sorted, double since) {
        layers_[0].push_back(sorted.front() - since);
        layers_[1].push_back(sorted[sorted.size() / 2] - since);
        layers_[2].push_back(sorted.back() - since);
    }
    WaveTimes medians() { return {median(layers_[0]), median(layers_[1]), median(layers_[2])}; }

private:
    std::array<std::vector<double>, 3> layers_;
};

} // namespace

std::vector<PhasePath> pathOf(const NotedStep &step) {
    std::vector<WallLine> lines;
    for (uint32_t group = 0; group < step.waves / step.wavesOfGroup; group++) {
        lines.emplace_back(step, group, step.note(0, 0, order.front(), kernel::momentBegin));
    }
    std::array<std::array<MomentLayers, moments>, order.size()> phases;
    double lastEnd = 0.0;
    for (uint32_t layer = 0; layer < step.layers; layer++) {
        for (size_t i = 0; i < order.size(); i++) {
            const Waves waves = wavesOf(step, lines, layer, order[i]);
            if (waves[kernel::momentEnd].empty()) {
                continue;
            }
            for (uint32_t moment = 0; moment < moments && (layer > 0 || i > 0); moment++) {
                phases[i][moment].add(waves[moment], lastEnd);
            }
            lastEnd = waves[kernel::momentEnd].back();
        }
    }
    std::vector<PhasePath> path;
    for (size_t i = 0; i < order.size(); i++) {
        path.push_back({order[i], phases[i][kernel::momentInput].medians(),
                        phases[i][kernel::momentMultiplied].medians(), phases[i][kernel::momentEnd].medians()});
    }
    return path;
}

} // namespace bench
