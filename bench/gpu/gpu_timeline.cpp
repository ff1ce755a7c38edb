// Where a step's time goes, phase by phase, on the first usable GPU and on all of its kind: gpu_timeline KERNELS
// [SHAPE]..., with kernels built to note times (kernel/timeline.h). Prints medians over waves and layers of the last
// decode step and the last prefill step of a request of 512 tokens, and of a model of one lane how the decode step's
// phases wait for each other (timeline_path.h).

#include "devices.h"
#include "exec/gpu/gpu_layout.h"
#include "kernel/timeline_layout.h"
#include "median.h"
#include "plan/tensor_parallel.h"
#include "random_model.h"
#include "timeline_notes.h"
#include "timeline_path.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

using namespace monokernel;

namespace {

constexpr uint32_t phases = kernel::timelinePhases, moments = kernel::momentCount, notes = kernel::phaseNotes;
constexpr std::array<const char *, phases> phaseNames{"norm",   "qkv",         "cache", "attention", "merge", "output",
                                                      "norm 2", "gate and up", "down",  "aggregate", "head"};

/// Gives the kernel a place for its times.
class TimelineDriver final : public bench::ForwardingDriver {
public:
    explicit TimelineDriver(std::unique_ptr<GpuDriver> driver) : ForwardingDriver(std::move(driver)) {}

    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        std::memcpy(&parameters_, parameters.data(), sizeof parameters_);
        waves_ = workgroups * waves(threads);
        const uint64_t words = kernel::timelinePlace(parameters_.layers, waves_, 0, 0, 0) * notes;
        if (times_.size() < words) {
            times_.resize(words);
            address_ = allocate(words * sizeof(uint64_t));
        }
        clear(address_, words * sizeof(uint64_t));
        parameters_.timeline = address_;
        ForwardingDriver::launch(std::as_bytes(std::span(&parameters_, 1)), workgroups, threads, sharedBytes);
    }

    void read() { download(std::as_writable_bytes(std::span(times_)), address_); }
    const kernel::Parameters &parameters() const { return parameters_; }
    uint32_t waveCount() const { return waves_; }
    uint32_t wavesOfGroup() const { return waves_ / parameters_.workgroups; }
    /// 0 if the wave noted nothing.
    uint64_t time(uint32_t wave, bool prefill, uint32_t layer, uint32_t phase, uint32_t moment) const {
        return times_[kernel::timelinePlace(parameters_.layers, wave, prefill ? 1 : 0, layer, phase) * notes + moment];
    }

    /// What the clock of the whole device counts in.
    double wallMicroseconds() const { return onGfx942() ? 1e-2 : 1e-3; }

private:
    bool onGfx942() const { return device().target == "gfx942"; }
    uint32_t waves(uint32_t threads) const { return threads / (onGfx942() ? 64 : 32); }

    kernel::Parameters parameters_{};
    std::vector<uint64_t> times_;
    uint64_t address_ = 0;
    uint32_t waves_ = 0;
};

/// The first and the last phase that a step of this kind runs.
struct StepOf {
    const TimelineDriver &device;
    bool prefill;

    uint32_t firstPhase() const { return prefill ? kernel::phaseNormAttention : kernel::phaseQkv; }
    uint64_t begin(uint32_t wave) const { return device.time(wave, prefill, 0, firstPhase(), kernel::momentBegin); }
    uint64_t end(uint32_t wave) const {
        const uint32_t layers = device.parameters().layers;
        return device.time(wave, prefill, layers - 1, kernel::phaseDown, kernel::momentEnd);
    }
    /// Wall-clock units a tick, from the layers of all waves.
    double perTick() const {
        std::vector<double> rates;
        for (uint32_t wave = 0; wave < device.waveCount(); wave++) {
            const uint32_t ticks = bench::ticksBetween(begin(wave), end(wave));
            rates.push_back(ticks == 0 ? 0.0 : bench::wallBetween(begin(wave), end(wave)) / static_cast<double>(ticks));
        }
        return bench::median(rates);
    }
};

void printPhase(const StepOf &step, uint32_t phase, uint32_t firstLayer, uint32_t layers, double microsecondsPerTick) {
    std::array<std::vector<double>, moments> parts; // up to each moment from the one before; [0]: all of the phase
    std::vector<double> stalls;
    for (uint32_t wave = 0; wave < step.device.waveCount(); wave++) {
        for (uint32_t layer = firstLayer; layer < firstLayer + layers; layer++) {
            const auto at = [&](uint32_t moment) { return step.device.time(wave, step.prefill, layer, phase, moment); };
            uint64_t before = at(kernel::momentBegin);
            const bool idle = phase == kernel::phaseAttention && at(kernel::momentInput) == 0; // no unit of attention
            if (before == 0 || idle) {
                continue;
            }
            parts[0].push_back(bench::ticksBetween(before, at(kernel::momentEnd)));
            stalls.push_back(static_cast<double>(at(kernel::noteStalled)));
            for (uint32_t moment = kernel::momentInput; moment < moments; moment++) {
                if (at(moment) != 0) {
                    parts[moment].push_back(bench::ticksBetween(before, at(moment)));
                    before = at(moment);
                }
            }
        }
    }
    if (parts[0].empty()) {
        return;
    }
    const size_t waves = parts[0].size() / layers;
    std::printf("  %-12s %6.2f", phaseNames[phase], bench::median(parts[0]) * microsecondsPerTick);
    for (uint32_t moment = kernel::momentInput; moment < moments; moment++) {
        std::printf("  %6.2f", bench::median(parts[moment]) * microsecondsPerTick);
    }
    std::printf("  %6.2f   %zu waves\n", bench::median(stalls) * microsecondsPerTick, waves);
}

/// How far apart the lanes finish the last layer, by the clock of the whole device.
void printLaneEnds(const StepOf &step) {
    const kernel::Parameters &p = step.device.parameters();
    std::vector<uint64_t> ends(p.lanes, 0);
    for (uint32_t wave = 0; wave < step.device.waveCount(); wave++) {
        const uint32_t group = wave / step.device.wavesOfGroup();
        uint64_t &end = ends[p.xccs > 1 ? group / p.members % p.lanes : group % p.lanes];
        if (end == 0 || bench::wallBetween(end, step.end(wave)) > 0) {
            end = step.end(wave);
        }
    }
    const uint64_t first =
        *std::ranges::min_element(ends, [](uint64_t a, uint64_t b) { return bench::wallBetween(a, b) > 0; });
    std::printf("  lanes end, after the first:");
    for (const uint64_t end : ends) {
        std::printf(" %.1f", bench::wallBetween(first, end) * step.device.wallMicroseconds());
    }
    std::printf(" us\n");
}

/// How the phases of a decode step wait for each other.
void printPath(const TimelineDriver &device) {
    const auto note = [&](uint32_t wave, uint32_t layer, uint32_t phase, uint32_t moment) {
        return device.time(wave, false, layer, phase, moment);
    };
    const bench::NotedStep step{device.waveCount(), device.wavesOfGroup(), device.parameters().layers,
                                device.wallMicroseconds(), note};
    std::printf("  us after the last wave ended the phase before; the first, median and last wave: input there, "
                "multiplied, ended\n");
    for (const bench::PhasePath &phase : bench::pathOf(step)) {
        std::printf("  %-12s", phaseNames[phase.phase]);
        for (const bench::WaveTimes &times : {phase.input, phase.multiplied, phase.ended}) {
            std::printf("  %6.2f %6.2f %6.2f ", times[0], times[1], times[2]);
        }
        std::printf("\n");
    }
}

void printStep(const TimelineDriver &device, const char *name, bool prefill) {
    const StepOf step{device, prefill};
    const double perTick = step.perTick() * device.wallMicroseconds();
    const uint32_t layers = device.parameters().layers;
    std::vector<double> all;
    for (uint32_t wave = 0; wave < device.waveCount(); wave++) {
        all.push_back(bench::ticksBetween(step.begin(wave), step.end(wave)));
    }
    std::printf("%s, %s step: %.1f us in %u layers; us of a phase: all, to its input, multiplied, "
                "handed over; of multiplying, waiting for weights\n",
                name, prefill ? "prefill" : "decode", bench::median(all) * perTick, layers);
    for (uint32_t phase = 0; phase < phases; phase++) {
        const bool head = phase >= kernel::layerPhases;
        printPhase(step, phase, head ? layers : 0, head ? 1 : layers, perTick);
    }
    if (device.parameters().allLanes > 1) {
        printLaneEnds(step);
    } else if (!prefill) {
        printPath(device);
    }
    std::fflush(stdout);
}

void showShape(const char *name, const bench::Shape &shape, std::span<const GpuDevice> devices,
               const std::filesystem::path &kernels) {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / (std::string("monokernel-timeline-") + name);
    bench::writeModel(folder, shape);
    const Model model = Model::open(folder);
    const GpuOptions options{kernels, 1, 0};
    const size_t most = std::min<size_t>({devices.size(), maxGpuDevices, shape.kvHeads});
    for (uint32_t count = 1; count <= most; count *= 2) {
        const GpuLayout layout = layOut(makePlan(tensorParallel(model.spec(), count)), devices.front(), options, count);
        const kernel::Parameters &p = layout.parameters;
        std::vector<std::unique_ptr<GpuDriver>> drivers;
        std::vector<TimelineDriver *> timelines;
        for (const GpuDevice &device : devices.first(count)) {
            auto timeline = std::make_unique<TimelineDriver>(bench::withRandomWeights(
                openGpuDriver(device), layout.weightBytes, p.embedding, p.embedding + p.hidden * 2ull * p.vocabulary));
            timelines.push_back(timeline.get());
            drivers.push_back(std::move(timeline));
        }
        const auto executor = makeGpuExecutor(std::move(drivers), model, options, {});
        std::vector<int32_t> prompt(512);
        for (size_t i = 0; i < prompt.size(); i++) {
            prompt[i] = static_cast<int32_t>(i * 7919 % shape.vocabulary);
        }
        SequenceJob job;
        job.tokens = prompt;
        job.maxTokens = 64;
        for (int run = 0; run < 2; run++) {
            executor->run(job, [](GeneratedToken) {});
        }
        for (uint32_t device = 0; device < count; device++) {
            timelines[device]->read();
            const std::string label =
                std::string(name) + ", device " + std::to_string(device + 1) + " of " + std::to_string(count);
            printStep(*timelines[device], label.c_str(), false);
            printStep(*timelines[device], label.c_str(), true);
        }
    }
    std::filesystem::remove_all(folder);
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: gpu_timeline KERNEL_FOLDER [SHAPE]...\nshapes:%s\n", bench::shapeNames().c_str());
        return 2;
    }
    try {
        const std::vector<GpuDevice> devices = bench::devicesOfOneKind();
        const std::span wanted(argv + 2, argv + argc);
        for (const auto &[name, shape] : bench::shapes) {
            const bool named = std::ranges::any_of(wanted, [&](std::string_view word) { return word == name; });
            if (wanted.empty() ? shape.laneformer : named) {
                showShape(name, shape, devices, argv[1]);
            }
        }
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
