// Drawing tokens: the sampler alone on given logits, and through the executor.

#include "check.h"
#include "exec/cpu/cpu_features.h"
#include "exec/cpu/sampler.h"
#include "golden_file.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

using namespace monokernel;
using namespace monokernel::cpu;

namespace {

/// Logits with their summaries, in runs of 64, as the head phase makes them.
class Distribution {
public:
    Distribution(const Kernels &kernels, std::vector<float> logits) : kernels_(kernels), logits_(std::move(logits)) {
        for (uint32_t start = 0; start < logits_.size(); start += panelRows) {
            starts_.push_back(start);
        }
        starts_.push_back(static_cast<uint32_t>(logits_.size()));
    }

    GeneratedToken draw(const Sampling &sampling, uint32_t position) {
        std::vector<LogitSummary> summaries;
        for (size_t run = 0; run + 1 < starts_.size(); run++) {
            float panel[panelRows] = {};
            std::copy(logits_.begin() + starts_[run], logits_.begin() + starts_[run + 1], panel);
            summaries.push_back(kernels_.summarize(panel, starts_[run + 1] - starts_[run], starts_[run],
                                                   samplingKey(sampling, position)));
        }
        return Sampler(kernels_, starts_).choose(logits_, summaries, sampling, position);
    }

private:
    const Kernels &kernels_;
    const std::vector<float> logits_;
    std::vector<uint32_t> starts_;
};

/// Pearson's statistic of `draws` draws against `probabilities`.
double chiSquare(Distribution &distribution, const Sampling &sampling, const std::vector<double> &probabilities,
                 uint32_t draws) {
    std::vector<double> counts(probabilities.size());
    for (uint32_t i = 0; i < draws; i++) {
        counts[static_cast<size_t>(distribution.draw(sampling, i).token)]++;
    }
    double sum = 0;
    for (size_t i = 0; i < counts.size(); i++) {
        const double expected = probabilities[i] * draws;
        if (expected == 0) {
            sum += counts[i] == 0 ? 0 : 1e9;
        } else {
            sum += (counts[i] - expected) * (counts[i] - expected) / expected;
        }
    }
    return sum;
}

std::vector<double> softmax(const std::vector<float> &logits, double temperature) {
    std::vector<double> p(logits.size());
    double sum = 0;
    for (size_t i = 0; i < p.size(); i++) {
        sum += p[i] = std::exp(static_cast<double>(logits[i]) / temperature);
    }
    for (double &value : p) {
        value /= sum;
    }
    return p;
}

std::vector<float> someLogits(uint32_t count, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 1.5f);
    std::vector<float> logits(count);
    std::generate(logits.begin(), logits.end(), [&] { return normal(random); });
    return logits;
}

/// Zeroes all but the wanted probabilities and scales these to 1.
void keepOnly(std::vector<double> &p, const std::vector<size_t> &kept) {
    std::vector<double> out(p.size());
    double sum = 0;
    for (const size_t i : kept) {
        sum += out[i] = p[i];
    }
    for (double &value : out) {
        value /= sum;
    }
    p = out;
}

std::vector<size_t> byProbability(const std::vector<double> &p) {
    std::vector<size_t> order(p.size());
    for (size_t i = 0; i < order.size(); i++) {
        order[i] = i;
    }
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
    return order;
}

constexpr uint32_t draws = 20000;
/// Beyond the 99.99 % quantile of chi-square with up to 11 degrees of freedom; the draws are the same in every run.
constexpr double chiSquareBound = 38;

} // namespace

TEST(greedyTakesTheLowerOfEqualTokens) {
    for (const InstructionSet &set : instructionSets()) {
        std::vector<float> logits(200, -1.0f);
        logits[70] = logits[75] = logits[86] = logits[130] = 3.0f; // 86: the same lane of the next vector
        Distribution distribution(*set.kernels, logits);
        const GeneratedToken token = distribution.draw({}, 0);
        CHECK(token.token == 70);
        const double expected = 3.0 - std::log(4 * std::exp(3.0) + 196 * std::exp(-1.0));
        CHECK(std::abs(static_cast<double>(token.logprob) - expected) < 1e-5);
    }
}

TEST(temperatureGivesTheSoftmax) {
    for (const InstructionSet &set : instructionSets()) {
        const std::vector<float> logits = someLogits(12, 1);
        Distribution distribution(*set.kernels, logits);
        for (const float temperature : {0.5f, 1.0f, 2.0f}) {
            const Sampling sampling{.temperature = temperature, .seed = 3};
            CHECK(chiSquare(distribution, sampling, softmax(logits, temperature), draws) < chiSquareBound);
        }
    }
}

TEST(topKKeepsTheBest) {
    for (const InstructionSet &set : instructionSets()) {
        const std::vector<float> logits = someLogits(100, 2);
        Distribution distribution(*set.kernels, logits);
        for (const uint32_t k : {1u, 2u, 10u}) {
            const Sampling sampling{.temperature = 0.8f, .topK = k, .seed = 4};
            std::vector<double> p = softmax(logits, 0.8);
            const std::vector<size_t> order = byProbability(p);
            keepOnly(p, {order.begin(), order.begin() + k});
            CHECK(chiSquare(distribution, sampling, p, draws) < chiSquareBound);
        }
    }
}

TEST(topPKeepsTheSmallestSet) {
    for (const InstructionSet &set : instructionSets()) {
        const std::vector<float> logits = someLogits(40, 5);
        Distribution distribution(*set.kernels, logits);
        for (const float topP : {0.0f, 0.3f, 0.6f}) {
            std::vector<double> p = softmax(logits, 0.7);
            const std::vector<size_t> order = byProbability(p);
            double sum = 0;
            size_t kept = 0;
            while (kept == 0 || sum < static_cast<double>(topP)) {
                sum += p[order[kept++]];
            }
            CHECK(kept < 12);
            keepOnly(p, {order.begin(), order.begin() + static_cast<ptrdiff_t>(kept)});
            CHECK(chiSquare(distribution, {.temperature = 0.7f, .topP = topP, .seed = 5}, p, draws) < chiSquareBound);
        }
    }
}

TEST(topPCountsWithinTopK) {
    const Kernels &kernels = *instructionSets().front().kernels;
    const std::vector<float> logits = someLogits(60, 6);
    Distribution distribution(kernels, logits);
    std::vector<double> p = softmax(logits, 1.0);
    const std::vector<size_t> order = byProbability(p);
    keepOnly(p, {order.begin(), order.begin() + 5});
    std::vector<size_t> kept;
    double sum = 0;
    for (size_t i = 0; sum < 0.7; i++) {
        kept.push_back(order[i]);
        sum += p[order[i]];
    }
    CHECK(kept.size() > 1 && kept.size() < 5);
    keepOnly(p, kept);
    CHECK(chiSquare(distribution, {.temperature = 1.0f, .topK = 5, .topP = 0.7f, .seed = 9}, p, draws) <
          chiSquareBound);
}

/// A flat distribution needs many candidates: the threshold must sink until they are found.
TEST(flatAndSharpDistributions) {
    const Kernels &kernels = *instructionSets().front().kernels;
    Distribution flat(kernels, std::vector<float>(1000, 2.0f));
    std::map<int32_t, uint32_t> seen;
    for (uint32_t i = 0; i < 4000; i++) {
        seen[flat.draw({.temperature = 1.0f, .topP = 0.9f, .seed = 1}, i).token]++;
    }
    CHECK(seen.size() > 800 && seen.rbegin()->first < 901); // ties keep the lower ids
    std::vector<float> steep(1000);
    for (size_t i = 0; i < steep.size(); i++) {
        steep[i] = -20.0f * static_cast<float>(i);
    }
    Distribution sharp(kernels, steep);
    for (uint32_t i = 0; i < 200; i++) {
        CHECK(sharp.draw({.temperature = 1.0f, .topK = 500, .topP = 0.999f, .seed = 1}, i).token == 0);
    }
}

/// Cuts that keep everything change nothing: the same noise meets the same logits.
TEST(cutsThatKeepEverything) {
    const Kernels &kernels = *instructionSets().front().kernels;
    Distribution distribution(kernels, someLogits(300, 8));
    for (uint32_t i = 0; i < 500; i++) {
        const int32_t plain = distribution.draw({.temperature = 1.3f, .seed = 11}, i).token;
        CHECK(distribution.draw({.temperature = 1.3f, .topK = 300, .seed = 11}, i).token == plain);
        CHECK(distribution.draw({.temperature = 1.3f, .topK = 100000, .seed = 11}, i).token == plain);
    }
}

TEST(notANumberEndsNothing) {
    const Kernels &kernels = *instructionSets().front().kernels;
    Distribution distribution(kernels, std::vector<float>(130, std::nanf("")));
    for (const Sampling &sampling :
         {Sampling{}, Sampling{.temperature = 1.0f}, Sampling{.temperature = 1.0f, .topK = 5},
          Sampling{.temperature = 1.0f, .topP = 0.5f}}) {
        const int32_t token = distribution.draw(sampling, 0).token;
        CHECK(token >= 0 && token < 130);
    }
}

TEST(seedsReproduce) {
    const auto executor = golden::load(std::filesystem::path(MONOKERNEL_GOLDEN) / "llama", {.threads = 2, .slots = 1});
    const std::vector<int32_t> prompt{1, 2, 3, 4, 5};
    const auto draw = [&](uint64_t seed) {
        SequenceJob job = golden::greedyJob(prompt, 30);
        job.sampling = {.temperature = 1.0f, .topK = 50, .topP = 0.9f, .seed = seed};
        return golden::run(*executor, job);
    };
    const golden::Output first = draw(1);
    CHECK(draw(1) == first);
    CHECK(draw(2).tokens != first.tokens);
}

/// The noise hangs on the position, so a sequence goes on as it would have without a break.
TEST(samplingGoesOnOverAReusedPrefix) {
    const auto executor = golden::load(std::filesystem::path(MONOKERNEL_GOLDEN) / "llama", {.threads = 2, .slots = 1});
    const std::vector<int32_t> prompt{1, 2, 3};
    SequenceJob job = golden::greedyJob(prompt, 20);
    job.sampling = {.temperature = 1.5f, .seed = 5};
    const golden::Output whole = golden::run(*executor, job);
    std::vector<int32_t> longer = prompt;
    longer.insert(longer.end(), whole.tokens.begin(), whole.tokens.begin() + 8);
    job.tokens = longer;
    job.reused = 5;
    job.maxTokens = 12;
    const golden::Output rest = golden::run(*executor, job);
    CHECK(std::equal(rest.tokens.begin(), rest.tokens.end(), whole.tokens.begin() + 8, whole.tokens.end()));
}
