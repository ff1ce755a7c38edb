// Decode and prefill of the CPU executor beside the machine's own limit, in one run with interleaved repeats.
//   bench_decode MODEL_FOLDER [--threads N] [--tokens N] [--repeats N] [--instruction-set NAME] [--precision NAME]

#include "exec/cpu/cpu_executor.h"
#include "exec/cpu/cpu_features.h"
#include "exec/cpu/kv_cache.h"
#include "stream_read.h"
#include "weight_bytes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>

using namespace monokernel;

namespace {

struct Arguments {
    std::string folder;
    std::vector<uint32_t> threads{1, 2};
    uint32_t tokens = 64;
    uint32_t repeats = 9;
    std::string instructionSet;
    bool int8 = false;
};

constexpr uint32_t deepPosition = 512;
constexpr uint32_t reusedPrompt = 400;
/// A prompt as an editor sends it after a pause: nearly a full context, of which the end is new.
constexpr uint32_t longPrompt = 1800;
constexpr uint32_t freshTokens = 20;

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0.0 : values[values.size() / 2];
}

double best(const std::vector<double> &values) { return *std::min_element(values.begin(), values.end()); }

/// Seconds a token, a prompt or a pass, of each repeat.
struct Samples {
    std::vector<double> stream, decode, decodeDeep, decodeLong, prefill64, prefill512, firstToken, firstTokenLong;
};

class Bench {
public:
    Bench(const Arguments &arguments, const Model &model, uint32_t threads)
        : arguments_(arguments), bytes_(bench::matrixBytes(model, arguments.int8)),
          deepCacheBytes_(cacheBytes(model.spec(), arguments.instructionSet)),
          executor_(makeCpuExecutor(model,
                                    {.threads = threads,
                                     .slots = 1,
                                     .instructionSet = arguments.instructionSet,
                                     .int8 = arguments.int8,
                                     .workerCount = std::make_shared<FixedWorkerCount>(threads)},
                                    [](double) {})),
          stream_(bytes_, threads) {
        std::mt19937 random(1);
        for (uint32_t i = 0; i < promptLength(executor_->contextLength()); i++) {
            prompt_.push_back(static_cast<int32_t>(random() % model.spec().vocabularySize));
        }
        decode(static_cast<uint32_t>(prompt_.size()), 0);
    }

    void repeat() {
        samples_.stream.push_back(best(stream_.passes(5)));
        samples_.decode.push_back(decode(1, 0));
        if (prompt_.size() >= deepPosition) {
            samples_.prefill64.push_back(firstToken(64, 0));
            samples_.prefill512.push_back(firstToken(deepPosition, 0));
            samples_.decodeDeep.push_back(decode(deepPosition, deepPosition - 1));
            samples_.firstToken.push_back(firstToken(reusedPrompt, reusedPrompt - 1));
        }
        if (prompt_.size() >= longPrompt) {
            samples_.decodeLong.push_back(decode(longPrompt, longPrompt - 1));
            samples_.firstTokenLong.push_back(firstToken(longPrompt, longPrompt - freshTokens));
        }
    }

    void print() const {
        const double limit = median(samples_.stream), step = median(samples_.decode);
        std::printf("%s, %.1f MB a token\n", executor_->description().c_str(), static_cast<double>(bytes_) / 1e6);
        std::printf("  stream read        %8.1f GB/s  %8.0f tokens/s (best %.0f)\n",
                    static_cast<double>(bytes_) / limit / 1e9, 1 / limit, 1 / best(samples_.stream));
        row("decode, depth 0", samples_.decode, 1, limit);
        if (!samples_.decodeDeep.empty()) {
            row("decode, depth 512", samples_.decodeDeep, 1, limit);
            const double withCache =
                limit * static_cast<double>(bytes_ + deepCacheBytes_) / static_cast<double>(bytes_);
            std::printf("    counting the %.1f MB of keys and values that a token reads there: %.0f %%\n",
                        static_cast<double>(deepCacheBytes_) / 1e6, 100 * withCache / median(samples_.decodeDeep));
            row("prefill 64", samples_.prefill64, 64, limit);
            row("prefill 512", samples_.prefill512, deepPosition, limit);
            const double first = median(samples_.firstToken);
            std::printf("  first token of %u, all but 1 reused: %.2f ms = %.2f decode steps\n", reusedPrompt,
                        first * 1e3, first / step);
        }
        if (!samples_.decodeLong.empty()) {
            row("decode, depth 1800", samples_.decodeLong, 1, limit);
            const double first = median(samples_.firstTokenLong);
            std::printf("  first token of %u, all but %u reused: %.2f ms = %.2f decode steps at that depth, %.2f at "
                        "depth 0\n",
                        longPrompt, freshTokens, first * 1e3, first / median(samples_.decodeLong), first / step);
        }
    }

private:
    /// The longest prompt measured here that leaves room for what is decoded after it.
    uint32_t promptLength(uint32_t contextLength) const {
        for (const uint32_t length : {longPrompt, deepPosition}) {
            if (contextLength >= length + arguments_.tokens) {
                return length;
            }
        }
        return 1;
    }

    /// Keys and values that a token reads after deepPosition others.
    static uint64_t cacheBytes(const ModelSpec &spec, const std::string &instructionSet) {
        uint64_t positions = 0;
        for (uint32_t layer = 0; layer < spec.layerCount; layer++) {
            positions += spec.window(layer) == 0 ? deepPosition : std::min(deepPosition, spec.window(layer));
        }
        const cpu::Kernels &kernels = *cpu::findInstructionSet(instructionSet).kernels;
        return positions * cpu::KvCache::bytesPerPosition(spec, kernels.cacheFormat);
    }

    static void row(const char *what, const std::vector<double> &seconds, uint32_t tokens, double limit) {
        std::vector<double> sorted = seconds;
        std::sort(sorted.begin(), sorted.end());
        const double middle = median(seconds);
        std::printf("  %-18s %8.0f tokens/s (best %.0f, worst %.0f)", what, tokens / middle, tokens / sorted.front(),
                    tokens / sorted.back());
        if (tokens == 1) {
            std::printf("  %.0f %% of the limit", 100 * limit / middle);
        }
        std::printf("\n");
    }

    SequenceResult run(uint32_t length, uint32_t reused, uint32_t tokens) {
        SequenceJob job;
        job.tokens = std::span(prompt_).first(length);
        job.reused = reused;
        job.maxTokens = tokens;
        return executor_->run(job, [](GeneratedToken) {});
    }

    double decode(uint32_t length, uint32_t reused) {
        const SequenceResult result = run(length, reused, arguments_.tokens);
        return result.decodeSeconds / std::max(1u, result.generated - 1);
    }

    double firstToken(uint32_t length, uint32_t reused) { return run(length, reused, 1).timeToFirstToken; }

    const Arguments &arguments_;
    const uint64_t bytes_, deepCacheBytes_;
    std::unique_ptr<Executor> executor_;
    bench::StreamRead stream_;
    std::vector<int32_t> prompt_;
    Samples samples_;
};

Arguments parse(int argc, char **argv) {
    Arguments arguments;
    for (int i = 1; i < argc; i++) {
        const std::string argument = argv[i];
        if (argument.rfind("--", 0) != 0) {
            arguments.folder = argument;
            continue;
        }
        if (i + 1 == argc) {
            throw std::invalid_argument(argument + " needs a value");
        }
        const std::string value = argv[++i];
        if (argument == "--threads") {
            arguments.threads = {static_cast<uint32_t>(std::stoul(value))};
        } else if (argument == "--tokens") {
            arguments.tokens = static_cast<uint32_t>(std::stoul(value));
        } else if (argument == "--repeats") {
            arguments.repeats = static_cast<uint32_t>(std::stoul(value));
        } else if (argument == "--instruction-set") {
            arguments.instructionSet = value;
        } else if (argument == "--precision" && (value == "bf16" || value == "int8")) {
            arguments.int8 = value == "int8";
        } else {
            throw std::invalid_argument("unknown option " + argument + " " + value);
        }
    }
    if (arguments.folder.empty() || arguments.tokens < 2 || arguments.repeats == 0) {
        throw std::invalid_argument(
            "usage: bench_decode MODEL_FOLDER [--threads N] [--tokens N, at least 2] [--repeats N] "
            "[--instruction-set NAME] [--precision bf16|int8]");
    }
    return arguments;
}

} // namespace

int main(int argc, char **argv) {
    try {
        const Arguments arguments = parse(argc, argv);
        const Model model = Model::open(arguments.folder);
        std::vector<std::unique_ptr<Bench>> benches;
        for (const uint32_t threads : arguments.threads) {
            benches.push_back(std::make_unique<Bench>(arguments, model, threads));
        }
        for (uint32_t i = 0; i < arguments.repeats; i++) {
            for (const auto &bench : benches) {
                bench->repeat();
            }
        }
        for (const auto &bench : benches) {
            bench->print();
        }
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "bench_decode: %s\n", error.what());
        return 1;
    }
}
