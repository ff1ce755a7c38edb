// Log-probabilities of given tokens, through the same kernels that generate. Usage:
//   score FOLDER THREADS INSTRUCTION_SET STEP_WIDTH bf16|int8
// ("" for the best instruction set; width 1: all by the decode path; bf16: weights as stored)
//
// One request a line on standard input: FROM TOKEN TOKEN...  One answer a line on standard output:
//   {"logprobs":[...]}   of the tokens from index FROM (1 or more) on, each given all tokens before it
// Standard input's end ends the program.

#include "exec/cpu/cpu_executor.h"
#include "model/model.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <numeric>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using monokernel::Executor;

/// Log-softmax of `logits` at `token`, summed in double precision.
double logProbability(std::span<const float> logits, int32_t token) {
    const float largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0.0;
    for (const float logit : logits) {
        sum += std::exp(static_cast<double>(logit) - largest);
    }
    return static_cast<double>(logits[static_cast<size_t>(token)]) - largest - std::log(sum);
}

std::string score(Executor &executor, size_t vocabularySize, uint32_t stepWidth, const std::string &line) {
    std::istringstream in(line);
    uint32_t from = 0;
    in >> from;
    std::vector<int32_t> tokens;
    for (int32_t token = 0; in >> token;) {
        tokens.push_back(token);
    }
    if (from == 0 || from >= tokens.size()) {
        throw std::invalid_argument("nothing to score in \"" + line.substr(0, 40) + "\"");
    }
    const int32_t last = tokens.back();
    if (last < 0 || static_cast<size_t>(last) >= vocabularySize) {
        throw std::invalid_argument("token " + std::to_string(last) + " is not in the vocabulary");
    }
    // The logits after position p are those of token p + 1; the last token's own are not asked for.
    std::vector<uint32_t> positions(tokens.size() - from);
    std::iota(positions.begin(), positions.end(), from - 1);
    const std::span<const int32_t> context(tokens.data(), tokens.size() - 1);
    const std::vector<float> logits = executor.logits(0, context, positions, stepWidth);

    std::ostringstream out;
    out.precision(8);
    for (size_t i = 0; i < positions.size(); i++) {
        const std::span<const float> row(logits.data() + i * vocabularySize, vocabularySize);
        out << (i == 0 ? "{\"logprobs\":[" : ",") << logProbability(row, tokens[from + i]);
    }
    out << "]}";
    return out.str();
}

} // namespace

int main(int argc, char **argv) {
    const std::string precision = argc == 6 ? argv[5] : "";
    if (precision != "bf16" && precision != "int8") {
        std::fprintf(stderr, "Usage: score FOLDER THREADS INSTRUCTION_SET STEP_WIDTH bf16|int8\n");
        return 2;
    }
    try {
        const monokernel::Model model = monokernel::Model::open(argv[1]);
        monokernel::CpuOptions options;
        options.threads = static_cast<uint32_t>(std::stoul(argv[2]));
        options.slots = 1;
        options.instructionSet = argv[3];
        options.int8 = precision == "int8";
        const std::unique_ptr<Executor> executor = monokernel::makeCpuExecutor(model, options, [](double) {});
        const auto stepWidth = static_cast<uint32_t>(std::stoul(argv[4]));
        std::cout << "{\"description\":\"" << executor->description() << "\"}" << std::endl;
        for (std::string line; std::getline(std::cin, line);) {
            std::cout << score(*executor, model.spec().vocabularySize, stepWidth, line) << std::endl;
        }
    } catch (const std::exception &error) {
        std::fprintf(stderr, "score: %s\n", error.what());
        return 1;
    }
    return 0;
}
