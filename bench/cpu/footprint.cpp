// What a loaded CPU engine costs beside its speed: peak memory with one slot filled to the end of its context, against
// weights and KV cache, and the processor time that it takes while it has nothing to do.
//   bench_footprint MODEL_FOLDER [IDLE_SECONDS] [bf16|int8] [INSTRUCTION_SET]

#include "exec/cpu/cpu_executor.h"
#include "exec/cpu/cpu_features.h"
#include "exec/cpu/kv_cache.h"
#include "weight_bytes.h"

#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#ifdef __linux__
#include <sys/resource.h>
#endif

using namespace monokernel;

namespace {

/// Bytes of a line of /proc/self/status such as "VmHWM:   1234 kB"; 0 where there is none.
uint64_t statusBytes(const std::string &key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind(key + ":", 0) == 0) {
            return std::stoull(line.substr(key.size() + 1)) * 1024;
        }
    }
    return 0;
}

/// Processor seconds that all threads of this process have used.
double processorSeconds() {
#ifdef __linux__
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval &time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
#else
    throw std::runtime_error("runs on Linux only");
#endif
}

void fillContext(Executor &executor, uint32_t vocabulary) {
    std::mt19937 random(1);
    std::vector<int32_t> prompt(executor.contextLength() - 16);
    for (int32_t &token : prompt) {
        token = static_cast<int32_t>(random() % vocabulary);
    }
    SequenceJob job;
    job.tokens = prompt;
    job.maxTokens = 32; // more than there is room for
    executor.run(job, [](GeneratedToken) {});
}

struct Arguments {
    std::string folder;
    double idleSeconds = 5.0;
    bool int8 = false;
    std::string instructionSet;
};

void measure(const Arguments &arguments) {
    const uint64_t before = statusBytes("VmRSS");
    std::unique_ptr<Executor> executor;
    uint64_t weights = 0, cache = 0;
    uint32_t vocabulary = 0;
    {
        const Model model = Model::open(arguments.folder);
        weights = bench::lookupBytes(model) + bench::matrixBytes(model, arguments.int8);
        vocabulary = model.spec().vocabularySize;
        executor = makeCpuExecutor(
            model, {.slots = 1, .instructionSet = arguments.instructionSet, .int8 = arguments.int8}, [](double) {});
        const cpu::Kernels &kernels = *cpu::findInstructionSet(arguments.instructionSet).kernels;
        cache = cpu::KvCache(model.spec(), 1, executor->contextLength(), kernels.cacheFormat).bytes();
    }
    const uint64_t loaded = statusBytes("VmHWM") - before;
    fillContext(*executor, vocabulary);
    const uint64_t peak = statusBytes("VmHWM") - before;
    const double used = processorSeconds();
    std::this_thread::sleep_for(std::chrono::duration<double>(arguments.idleSeconds));
    const double idle = (processorSeconds() - used) / arguments.idleSeconds;

    const auto mega = [](uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
    std::printf("%s\n", executor->description().c_str());
    std::printf("  weights %.1f MB, KV cache of %u tokens %.1f MB\n", mega(weights), executor->contextLength(),
                mega(cache));
    std::printf("  peak memory after loading %.1f MB, after filling the context %.1f MB = %.3f x weights + KV\n",
                mega(loaded), mega(peak), mega(peak) / mega(weights + cache));
    std::printf("  idle for %.0f s: %.3f %% of a core\n", arguments.idleSeconds, 100 * idle);
}

Arguments parse(int argc, char **argv) {
    if (argc < 2 || argc > 5) {
        throw std::invalid_argument("usage: bench_footprint MODEL_FOLDER [IDLE_SECONDS] [bf16|int8] [INSTRUCTION_SET]");
    }
    Arguments arguments{.folder = argv[1]};
    if (argc > 2) {
        arguments.idleSeconds = std::stod(argv[2]);
    }
    if (argc > 3) {
        const std::string precision = argv[3];
        if (precision != "bf16" && precision != "int8") {
            throw std::invalid_argument("the precision must be bf16 or int8, not " + precision);
        }
        arguments.int8 = precision == "int8";
    }
    if (argc > 4) {
        arguments.instructionSet = argv[4];
    }
    if (!(arguments.idleSeconds > 0)) {
        throw std::invalid_argument("IDLE_SECONDS must be more than 0");
    }
    return arguments;
}

} // namespace

int main(int argc, char **argv) {
    try {
        measure(parse(argc, argv));
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "bench_footprint: %s\n", error.what());
        return 1;
    }
}
