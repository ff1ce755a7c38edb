#include "golden_file.h"

#include "model/json_value.h"
#include "model/mapped_file.h"

#include <algorithm>

namespace golden {

using namespace monokernel;

namespace {

double number(const JsonValue &value) {
    const int64_t *integer = value.integer();
    return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value.value);
}

template <class T> std::vector<T> numbers(const JsonValue &array) {
    std::vector<T> out;
    for (const JsonValue &value : *array.array()) {
        out.push_back(static_cast<T>(number(value)));
    }
    return out;
}

JsonValue parseFile(const std::filesystem::path &file) { return parseJson(readTextFile(file, size_t{1} << 26)); }

} // namespace

Folder readFolder(const std::filesystem::path &folder) {
    const JsonValue file = parseFile(folder / "golden.json");
    Folder out{numbers<int32_t>(*file.find("prompt")),
               numbers<uint32_t>(*file.find("logits_at")),
               {},
               numbers<int32_t>(*file.find("greedy")),
               numbers<double>(*file.find("greedy_margin"))};
    for (const JsonValue &row : *file.find("logits")->array()) {
        out.logits.push_back(numbers<double>(row));
    }
    return out;
}

std::vector<Sequence> readSequences(const std::filesystem::path &file) {
    std::vector<Sequence> out;
    const JsonValue entries = parseFile(file);
    for (const JsonValue &entry : *entries.array()) {
        Sequence sequence{numbers<int32_t>(*entry.find("prompt")),
                          {},
                          numbers<int32_t>(*entry.find("greedy")),
                          numbers<double>(*entry.find("logprob")),
                          numbers<double>(*entry.find("margin"))};
        for (const JsonValue &pair : *entry.find("first_top20")->array()) {
            const std::vector<double> values = numbers<double>(pair);
            sequence.firstTop.emplace_back(static_cast<int32_t>(values[0]), values[1]);
        }
        out.push_back(std::move(sequence));
    }
    return out;
}

std::vector<std::string> folderNames() {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(MONOKERNEL_GOLDEN)) {
        if (std::filesystem::exists(entry.path() / "golden.json")) {
            names.push_back(entry.path().filename().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

Output run(Executor &executor, const SequenceJob &job) {
    Output out;
    out.result = executor.run(job, [&](GeneratedToken token) {
        out.tokens.push_back(token.token);
        out.logprobs.push_back(token.logprob);
    });
    return out;
}

Output runUntil(Executor &executor, const std::vector<int32_t> &prompt, uint32_t maxTokens,
                const std::vector<int32_t> &stops) {
    SequenceJob job = greedyJob(prompt, maxTokens);
    job.stopTokens = stops;
    return run(executor, job);
}

std::string stopTokenTrouble(Executor &executor, const std::vector<int32_t> &prompt) {
    const Output all = runGreedy(executor, prompt, 4);
    const int32_t stop = all.tokens[2];
    const std::vector<int32_t> before(all.tokens.begin(), std::ranges::find(all.tokens, stop));
    for (const size_t others : {0, 1, 69}) {
        std::vector<int32_t> stops(others, -1);
        if (runUntil(executor, prompt, 4, stops) != all) {
            return std::to_string(others) + " tokens that do not come change something";
        }
        stops.push_back(stop);
        const Output stopped = runUntil(executor, prompt, 4, stops);
        if (stopped.result.stop != StopReason::stopToken || stopped.tokens != before ||
            stopped.result.generated != before.size()) {
            return "behind " + std::to_string(others) + " others: " + std::to_string(stopped.tokens.size()) +
                   " tokens given instead of " + std::to_string(before.size());
        }
    }
    return {};
}

Output runGreedy(Executor &executor, const std::vector<int32_t> &prompt, uint32_t maxTokens) {
    return run(executor, greedyJob(prompt, maxTokens));
}

SequenceJob greedyJob(const std::vector<int32_t> &prompt, uint32_t maxTokens) {
    SequenceJob job;
    job.tokens = prompt;
    job.maxTokens = maxTokens;
    return job;
}

std::unique_ptr<Executor> load(const std::filesystem::path &folder, const CpuOptions &options) {
    CpuOptions own = options;
    if (!own.workerCount) {
        own.workerCount = std::make_shared<FixedWorkerCount>(UINT32_MAX);
    }
    return makeCpuExecutor(Model::open(folder), own, [](double) {});
}

} // namespace golden
