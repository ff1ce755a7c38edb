#pragma once

#include "exec/cpu/cpu_executor.h"

#include <filesystem>
#include <string>
#include <vector>

namespace golden {

/// A golden.json: logits and greedy tokens of one prompt, computed by a naive float64 reference.
struct Folder {
    std::vector<int32_t> prompt;
    std::vector<uint32_t> positions;
    std::vector<std::vector<double>> logits; ///< after each of the positions
    std::vector<int32_t> greedy;
    std::vector<double> margin; ///< how far each greedy token's logit is above the next one's
};

Folder readFolder(const std::filesystem::path &folder);

/// An entry of nano.golden.json.
struct Sequence {
    std::vector<int32_t> prompt;
    std::vector<std::pair<int32_t, double>> firstTop; ///< token and logit after the prompt
    std::vector<int32_t> greedy;
    std::vector<double> logprob;
    std::vector<double> margin;
};

std::vector<Sequence> readSequences(const std::filesystem::path &file);

/// The names of the golden checkpoints.
std::vector<std::string> folderNames();

/// What a run gave out, beside its result.
struct Output {
    monokernel::SequenceResult result;
    std::vector<int32_t> tokens;
    std::vector<float> logprobs;
    bool operator==(const Output &other) const { return tokens == other.tokens && logprobs == other.logprobs; }
};

Output run(monokernel::Executor &executor, const monokernel::SequenceJob &job);
/// A greedy request that ends before a token of `stops`.
Output runUntil(monokernel::Executor &executor, const std::vector<int32_t> &prompt, uint32_t maxTokens,
                const std::vector<int32_t> &stops);
/// What is wrong with how requests end before their third greedy token where that is a stop token, alone or behind 1 or
/// 69 others, more than a wave looks at at once, and go on where it is none; empty if all is right.
std::string stopTokenTrouble(monokernel::Executor &executor, const std::vector<int32_t> &prompt);
Output runGreedy(monokernel::Executor &executor, const std::vector<int32_t> &prompt, uint32_t maxTokens);

/// `prompt` must outlive the job.
monokernel::SequenceJob greedyJob(const std::vector<int32_t> &prompt, uint32_t maxTokens);
monokernel::SequenceJob greedyJob(std::vector<int32_t> &&prompt, uint32_t maxTokens) = delete;

/// With all threads in every step, unless the options say how many.
std::unique_ptr<monokernel::Executor> load(const std::filesystem::path &folder, const monokernel::CpuOptions &options);

} // namespace golden
