// Decode and prefill beside busy processes: fixed worker counts and the count that adapts, in one executor, turn by
// turn.
//   bench_loaded MODEL_FOLDER [--threads N] [--repeats N] [--busy N]

#include "busy_processes.h"
#include "exec/cpu/cpu_executor.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

using namespace monokernel;

namespace {

struct Arguments {
    std::string folder;
    uint32_t threads = 2;
    uint32_t repeats = 9;
    std::vector<uint32_t> busy{0, 1, 2};
};

/// A sample is this many requests of so many tokens each: short ones, as an editor makes them.
constexpr uint32_t requests = 4, tokensEach = 64, promptTokens = 256;

/// Hands every question on to the policy whose turn it is, and counts the workers of the steps.
class Turns final : public WorkerCountPolicy {
public:
    void take(WorkerCountPolicy &policy) {
        policy_ = &policy;
        steps_ = workers_ = 0;
    }
    double meanWorkers() const { return steps_ == 0 ? 0.0 : static_cast<double>(workers_) / steps_; }

    WorkerChoice choose(uint32_t tokens, Time now) override { return policy_->choose(tokens, now); }
    void observe(const StepTiming &timing, Time now) override {
        steps_++;
        workers_ += timing.workers;
        policy_->observe(timing, now);
    }

private:
    WorkerCountPolicy *policy_ = nullptr;
    uint32_t steps_ = 0, workers_ = 0;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// One way to choose the count, and tokens a second of each of its samples.
struct Contender {
    std::string name;
    std::unique_ptr<WorkerCountPolicy> policy;
    std::vector<double> decode, prefill, decodeWorkers, prefillWorkers;
};

class Bench {
public:
    Bench(const Arguments &arguments, const Model &model)
        : arguments_(arguments), turns_(std::make_shared<Turns>()),
          executor_(makeCpuExecutor(model, {.threads = arguments.threads, .slots = 1, .workerCount = turns_},
                                    [](double) {})) {
        std::mt19937 random(1);
        for (uint32_t i = 0; i < std::min(executor_->contextLength() - tokensEach, promptTokens); i++) {
            prompt_.push_back(static_cast<int32_t>(random() % model.spec().vocabularySize));
        }
        std::printf("%s\n", executor_->description().c_str());
    }

    void row(uint32_t busy) {
        std::vector<Contender> contenders = makeContenders();
        const bench::BusyProcesses others(busy);
        for (Contender &contender : contenders) {
            sample(contender);
        }
        for (Contender &contender : contenders) {
            for (auto *values :
                 {&contender.decode, &contender.prefill, &contender.decodeWorkers, &contender.prefillWorkers}) {
                values->clear();
            }
        }
        for (uint32_t i = 0; i < arguments_.repeats; i++) {
            for (Contender &contender : contenders) {
                sample(contender);
            }
        }
        std::printf("%u busy processes beside\n", busy);
        print("decode", contenders, &Contender::decode, &Contender::decodeWorkers);
        print("prefill 256", contenders, &Contender::prefill, &Contender::prefillWorkers);
    }

private:
    std::vector<Contender> makeContenders() const {
        std::vector<Contender> contenders;
        for (const uint32_t workers : {1u, arguments_.threads}) {
            contenders.push_back({std::to_string(workers) + (workers == 1 ? " thread" : " threads"),
                                  std::make_unique<FixedWorkerCount>(workers),
                                  {},
                                  {},
                                  {},
                                  {}});
        }
        contenders.push_back({"adaptive", makeAdaptiveWorkerCount(arguments_.threads), {}, {}, {}, {}});
        return contenders;
    }

    void sample(Contender &contender) {
        turns_->take(*contender.policy);
        double seconds = 0;
        uint32_t tokens = 0;
        for (uint32_t i = 0; i < requests; i++) {
            const SequenceResult result = run(1, tokensEach);
            seconds += result.decodeSeconds;
            tokens += result.generated - 1;
        }
        contender.decode.push_back(tokens / seconds);
        contender.decodeWorkers.push_back(turns_->meanWorkers());
        turns_->take(*contender.policy);
        contender.prefill.push_back(prompt_.size() / run(prompt_.size(), 1).timeToFirstToken);
        contender.prefillWorkers.push_back(turns_->meanWorkers());
    }

    SequenceResult run(size_t length, uint32_t tokens) {
        SequenceJob job;
        job.tokens = std::span(prompt_).first(length);
        job.maxTokens = tokens;
        return executor_->run(job, [](GeneratedToken) {});
    }

    static void print(const char *what, const std::vector<Contender> &contenders, std::vector<double> Contender::*rates,
                      std::vector<double> Contender::*workers) {
        double fixed = 0, adaptive = 0;
        std::printf("  %-12s", what);
        for (const Contender &contender : contenders) {
            const std::vector<double> &values = contender.*rates;
            const double rate = median(values);
            (contender.name == "adaptive" ? adaptive : fixed) =
                contender.name == "adaptive" ? rate : std::max(fixed, rate);
            std::printf(" %s %.0f tok/s (%.0f to %.0f);", contender.name.c_str(), rate,
                        *std::min_element(values.begin(), values.end()),
                        *std::max_element(values.begin(), values.end()));
        }
        std::printf(" adaptive / better fixed %.2f, %.2f workers\n", adaptive / fixed,
                    median(contenders.back().*workers));
    }

    const Arguments &arguments_;
    const std::shared_ptr<Turns> turns_;
    const std::unique_ptr<Executor> executor_;
    std::vector<int32_t> prompt_;
};

Arguments parse(int argc, char **argv) {
    Arguments arguments;
    for (int i = 1; i < argc; i++) {
        const std::string argument = argv[i];
        if (argument.rfind("--", 0) != 0) {
            arguments.folder = argument;
            continue;
        }
        const auto value = i + 1 < argc ? static_cast<uint32_t>(std::stoul(argv[++i])) : 0;
        if (argument == "--threads" && value > 0) {
            arguments.threads = value;
        } else if (argument == "--repeats" && value > 0) {
            arguments.repeats = value;
        } else if (argument == "--busy") {
            arguments.busy = {value};
        } else {
            throw std::invalid_argument("unknown option, or one without its value: " + argument);
        }
    }
    if (arguments.folder.empty()) {
        throw std::invalid_argument("usage: bench_loaded MODEL_FOLDER [--threads N] [--repeats N] [--busy N]");
    }
    return arguments;
}

} // namespace

int main(int argc, char **argv) {
    try {
        const Arguments arguments = parse(argc, argv);
        std::setvbuf(stdout, nullptr, _IOLBF, 0); // A run that is cut short shows what it has.
        Bench bench(arguments, Model::open(arguments.folder));
        for (const uint32_t busy : arguments.busy) {
            bench.row(busy);
        }
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "bench_loaded: %s\n", error.what());
        return 1;
    }
}
