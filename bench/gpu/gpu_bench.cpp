// Speed of the monokernel on the first usable GPU, beside what the device's memory gives in the same run, and on 2, 4
// and 8 of its kind where they are there. Usage: gpu_bench KERNELS... [SHAPE]... [ampere|card], the first two shapes of
// random_model.h if none is named; prints a table. Weights are random.
// "ampere": by the kernel for Ampere; "card": also with what a graphics card has of multiprocessors and shared memory.
// The streaming kernel lies beside this program. Kernels of several folders, which must lay weights out alike, run one
// after the other on the same loaded model, so that a change is seen beside what it changes.

#include "devices.h"
#include "exec/gpu/gpu_layout.h"
#include "exec/gpu/matrix_packing.h"
#include "median.h"
#include "plan/tensor_parallel.h"
#include "random_model.h"
#include "stream_parameters.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

using namespace monokernel;

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Terabytes a second that a kernel reads (copy: reads and writes), the best of nine runs of several passes.
double streamRate(const GpuDevice &device, const std::filesystem::path &folder, bool copy) {
    const auto driver = std::make_unique<bench::DeviceAs>(device);
    driver->loadKernel(folder / ("stream." + device.target + (device.target == "gfx942" ? ".co" : ".ptx")), {});
    const uint64_t bytes = 4ull << 30;
    kernel::StreamParameters p{};
    p.from = driver->allocate(bytes);
    p.to = copy ? driver->allocate(bytes) : 0;
    p.sink = driver->allocate(256);
    p.bytes = bytes;
    p.passes = 8;
    std::vector<uint64_t> random((64u << 20) / 8);
    uint64_t state = 88172645463325252ull;
    for (uint64_t &word : random) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word = state;
    }
    for (uint64_t at = 0; at < bytes; at += random.size() * 8) {
        driver->upload(p.from + at, std::as_bytes(std::span(random)));
    }
    double best = 0.0;
    for (const uint32_t share : {1u, 2u, 4u}) { // workgroups a compute unit
        p.workgroups = device.computeUnits * share;
        for (int run = 0; run < 3; run++) {
            const auto start = Clock::now();
            driver->launch(std::as_bytes(std::span(&p, 1)), p.workgroups, 256, 0);
            while (!driver->finished()) {
            }
            const double rate = static_cast<double>(bytes) * p.passes * (copy ? 2 : 1) / secondsSince(start) / 1e12;
            best = std::max(best, rate);
        }
    }
    return best;
}

constexpr uint32_t promptLength = 512;

/// New tokens of a prompt whose others are in the cache: what is typed between two completions.
constexpr std::array<uint32_t, 2> fewTokens{20, 4};

struct Speed {
    double decode = 0.0, firstToken = 0.0;
    std::array<double, fewTokens.size()> firstOfFew{};
};

/// Medians over `runs` requests with fresh random prompts.
Speed measure(Executor &executor, uint32_t vocabulary, uint32_t promptTokens, uint32_t newTokens, int runs) {
    std::vector<double> decode, first;
    std::array<std::vector<double>, fewTokens.size()> few;
    uint64_t state = 12345;
    const auto never = static_cast<int32_t>(vocabulary); // is not drawn
    for (int run = 0; run < runs; run++) {
        std::vector<int32_t> prompt(promptTokens);
        for (int32_t &token : prompt) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            token = static_cast<int32_t>((state >> 33) % vocabulary);
        }
        SequenceJob job;
        job.tokens = prompt;
        job.maxTokens = newTokens;
        job.stopTokens = std::span(&never, 1); // every request of the server has one
        const SequenceResult result = executor.run(job, [](GeneratedToken) {});
        job.maxTokens = 1;
        for (size_t i = 0; i < few.size(); i++) {
            job.reused = promptTokens - fewTokens[i];
            few[i].push_back(executor.run(job, [](GeneratedToken) {}).timeToFirstToken);
        }
        if (run > 0) {
            decode.push_back((result.generated - 1) / result.decodeSeconds);
            first.push_back(result.timeToFirstToken);
        }
    }
    return {bench::median(decode), bench::median(first), {bench::median(few[0]), bench::median(few[1])}};
}

/// Bytes of weights a decoded token reads, without padding.
double tokenBytes(const ModelSpec &s) {
    const double d = s.hiddenSize, q = double(s.headCount) * s.headDim, kv = double(s.kvHeadCount) * s.headDim;
    const double layer = d * (q + 2 * kv) + d * q + 3.0 * d * s.ffnSize;
    return 2.0 * (s.layerCount * layer + double(s.vocabularySize) * d);
}

void report(const char *name, const ModelSpec &spec, const GpuLayout &layout, const Speed &speed, double readRate) {
    const double bytes = tokenBytes(spec), rate = bytes * speed.decode / 1e12;
    std::printf("%-7s decode %8.1f tok/s  %6.3f ms/token  %5.2f TB/s = %5.1f %% of the read limit (%.3f GB a token, "
                "%.1f %% padding)\n",
                name, speed.decode, 1e3 / speed.decode, rate, 100.0 * rate / readRate, bytes / 1e9,
                100.0 * (static_cast<double>(layout.weightBytes) / bytes - 1.0));
    std::printf(
        "%-7s first token of a %u-token prompt after %.2f ms (%.0f tok/s), of %u and %u new tokens after %.2f and "
        "%.2f ms\n",
        name, promptLength, speed.firstToken * 1e3, promptLength / speed.firstToken, fewTokens[0], fewTokens[1],
        speed.firstOfFew[0] * 1e3, speed.firstOfFew[1] * 1e3);
    std::fflush(stdout);
}

/// The model on some devices, with random weights, and the drivers of these.
struct Loaded {
    std::vector<GpuDriver *> drivers;
    std::unique_ptr<Executor> executor;
};

Loaded load(std::span<const GpuDevice> devices, const Model &model, const GpuLayout &layout,
            const GpuOptions &options) {
    const kernel::Parameters &p = layout.parameters;
    Loaded loaded;
    std::vector<std::unique_ptr<GpuDriver>> drivers;
    for (const GpuDevice &device : devices) {
        drivers.push_back(bench::withRandomWeights(std::make_unique<bench::DeviceAs>(device), layout.weightBytes,
                                                   p.embedding, p.embedding + p.hidden * 2ull * p.vocabulary));
        loaded.drivers.push_back(drivers.back().get());
    }
    loaded.executor = makeGpuExecutor(std::move(drivers), model, options, {});
    return loaded;
}

using Folders = std::vector<std::filesystem::path>;

void benchShape(const char *name, const bench::Shape &shape, std::span<const GpuDevice> devices, const Folders &kernels,
                double readRate) {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / (std::string("monokernel-shape-") + name);
    bench::writeModel(folder, shape);
    const Model model = Model::open(folder);
    const GpuOptions options{kernels.front(), 1, 0};
    std::vector<double> one(kernels.size()); // seconds a token on one device, with each of the kernels
    const size_t most = std::min<size_t>({devices.size(), maxGpuDevices, shape.kvHeads});
    for (uint32_t count = 1; count <= most; count *= 2) {
        const GpuLayout layout = layOut(makePlan(tensorParallel(model.spec(), count)), devices.front(), options, count);
        const auto start = Clock::now();
        const Loaded loaded = load(devices.first(count), model, layout, options);
        std::printf("%-7s loaded on %u in %.1f s\n", name, count, secondsSince(start));
        for (size_t i = 0; i < kernels.size(); i++) {
            if (kernels.size() > 1) {
                std::printf("%s:\n", kernels[i].c_str());
            }
            for (size_t d = 0; i > 0 && d < loaded.drivers.size(); d++) { // the first one is loaded
                loaded.drivers[d]->loadKernel(kernels[i] / layout.target.file,
                                              kernelConstants(parametersOf(layout, static_cast<uint32_t>(d))));
            }
            const Speed speed = measure(*loaded.executor, shape.vocabulary, promptLength, 256, 6);
            if (count == 1) {
                one[i] = 1.0 / speed.decode;
                report(name, model.spec(), layout, speed, readRate);
            } else {
                std::printf("%-7s on %u devices: decode %.1f tok/s, %.2fx of one; %.1f us a token more than 1/%u of "
                            "one's: what the exchange and the undivided work cost; first token after %.2f ms\n",
                            name, count, speed.decode, speed.decode * one[i],
                            1e6 * (1.0 / speed.decode - one[i] / count), count, speed.firstToken * 1e3);
            }
            std::fflush(stdout);
        }
    }
    std::filesystem::remove_all(folder);
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: gpu_bench KERNEL_FOLDER... [SHAPE]... [ampere|card]\nshapes:%s\n",
                     bench::shapeNames().c_str());
        return 2;
    }
    try {
        std::vector<GpuDevice> devices = bench::devicesOfOneKind();
        const std::filesystem::path own = std::filesystem::path(argv[0]).parent_path();
        const std::vector<std::string_view> arguments(argv + 1, argv + argc);
        const auto isShape = [&](std::string_view argument) {
            return std::ranges::any_of(bench::shapes, [&](const auto &shape) { return shape.first == argument; });
        };
        for (GpuDevice &each : devices) {
            each = std::ranges::count(arguments, "card") > 0     ? bench::asGraphicsCard(each)
                   : std::ranges::count(arguments, "ampere") > 0 ? bench::asAmpere(each)
                                                                 : each;
        }
        const GpuDevice &device = devices.front();
        const auto isWord = [&](std::string_view argument) {
            return isShape(argument) || argument == "card" || argument == "ampere";
        };
        const bool usual = std::ranges::none_of(arguments, isShape);
        Folders kernels;
        std::ranges::copy_if(arguments, std::back_inserter(kernels), std::not_fn(isWord));
        if (kernels.empty()) {
            throw std::runtime_error("name the folder of the kernels");
        }
        const double read = streamRate(device, own, false), copy = streamRate(device, own, true);
        std::printf("%s: streaming read %.2f TB/s, device copy %.2f TB/s (read + written)\n", device.name.c_str(), read,
                    copy);
        std::fflush(stdout);
        for (const auto &[name, shape] : bench::shapes) {
            if (usual ? shape.laneformer : std::ranges::find(arguments, name) != arguments.end()) {
                benchShape(name, shape, devices, kernels, read);
            }
        }
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
