// llama.cpp as a contender of the benchmark: its C API, driven as its own llama-bench drives it (persistent thread pool
// that polls, batches of 512), without the JavaScript between. Usage: llama_peer MODEL.gguf THREADS CONTEXT
// [BACKEND_FOLDER]
//
// One request a line on standard input, one JSON object a line on standard output:
//   first TOKEN...          runs a prompt, its longest prefix in common with the last request taken from the cache
//   decode COUNT TOKEN...   the same, untimed; then COUNT greedy steps
//   greedy COUNT TOKEN...   as decode, with each token's log-probability and its margin to the second best
// Standard input's end ends the program.

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "llama.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Choice {
    llama_token token;
    double logprob;
    float margin;
};

class Peer {
public:
    Peer(const char *path, int threads, uint32_t contextLength) {
        model_.reset(llama_model_load_from_file(path, llama_model_default_params()));
        if (!model_) {
            throw std::runtime_error(std::string("llama.cpp cannot load ") + path);
        }
        llama_context_params params = llama_context_default_params();
        params.n_ctx = contextLength;
        params.n_batch = contextLength;
        params.n_ubatch = 512;
        params.n_threads = params.n_threads_batch = threads;
        context_.reset(llama_init_from_model(model_.get(), params));
        if (!context_) {
            throw std::runtime_error("llama.cpp cannot make a context");
        }
        vocabularySize_ = llama_vocab_n_tokens(llama_model_get_vocab(model_.get()));
        attachThreads(threads);
    }

    /// Seconds to the first new token.
    double first(const std::vector<llama_token> &prompt, size_t &reused) {
        const auto start = Clock::now();
        reused = run(prompt);
        best();
        return secondsSince(start);
    }

    double decode(const std::vector<llama_token> &prompt, int count, std::vector<llama_token> &tokens) {
        run(prompt);
        llama_token token = best();
        const auto start = Clock::now();
        for (int i = 0; i < count; i++) {
            tokens.push_back(token);
            step(token);
            token = best();
        }
        return secondsSince(start);
    }

    std::vector<Choice> greedy(const std::vector<llama_token> &prompt, int count) {
        run(prompt);
        std::vector<Choice> choices;
        for (int i = 0; i < count; i++) {
            choices.push_back(choose());
            step(choices.back().token);
        }
        return choices;
    }

    /// Stops the workers' polling between requests, so that this contender does not slow the others.
    void pause() {
        if (pausePool_) {
            pausePool_(pool_);
        }
    }
    void resume() {
        if (resumePool_) {
            resumePool_(pool_);
        }
    }

private:
    struct FreeModel {
        void operator()(llama_model *model) const { llama_model_free(model); }
    };
    struct FreeContext {
        void operator()(llama_context *context) const { llama_free(context); }
    };

    /// The pool lives as long as the process: it must outlast the context.
    void attachThreads(int threads) {
        ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        if (!device) {
            throw std::runtime_error("llama.cpp found no CPU backend");
        }
        ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(device);
        const auto find = [&](const char *name) { return ggml_backend_reg_get_proc_address(registry, name); };
        const auto make = reinterpret_cast<decltype(&ggml_threadpool_new)>(find("ggml_threadpool_new"));
        if (!make) {
            return;
        }
        ggml_threadpool_params params = ggml_threadpool_params_default(threads);
        pool_ = make(&params);
        llama_attach_threadpool(context_.get(), pool_, nullptr);
        pausePool_ = reinterpret_cast<decltype(pausePool_)>(find("ggml_threadpool_pause"));
        resumePool_ = reinterpret_cast<decltype(resumePool_)>(find("ggml_threadpool_resume"));
    }

    void evaluate(llama_token *tokens, size_t count) {
        if (llama_decode(context_.get(), llama_batch_get_one(tokens, static_cast<int32_t>(count))) != 0) {
            throw std::runtime_error("llama_decode failed");
        }
        // The logits' address is asked for so that the work is waited for.
        logits_ = llama_get_logits_ith(context_.get(), -1);
        cached_.insert(cached_.end(), tokens, tokens + count);
    }

    size_t run(const std::vector<llama_token> &prompt) {
        if (prompt.empty()) {
            throw std::runtime_error("empty prompt");
        }
        const size_t limit = std::min(prompt.size() - 1, cached_.size());
        size_t kept = 0;
        while (kept < limit && prompt[kept] == cached_[kept]) {
            kept++;
        }
        cached_.resize(kept);
        llama_memory_seq_rm(llama_get_memory(context_.get()), 0, static_cast<llama_pos>(kept), -1);
        std::vector<llama_token> rest(prompt.begin() + static_cast<std::ptrdiff_t>(kept), prompt.end());
        evaluate(rest.data(), rest.size());
        return kept;
    }

    void step(llama_token token) { evaluate(&token, 1); }

    llama_token best() const {
        return static_cast<llama_token>(std::max_element(logits_, logits_ + vocabularySize_) - logits_);
    }

    Choice choose() const {
        const llama_token token = best();
        float second = -INFINITY;
        double sum = 0.0;
        for (int i = 0; i < vocabularySize_; i++) {
            sum += std::exp(static_cast<double>(logits_[i] - logits_[token]));
            second = i == token ? second : std::max(second, logits_[i]);
        }
        return {token, -std::log(sum), logits_[token] - second};
    }

    std::unique_ptr<llama_model, FreeModel> model_;
    std::unique_ptr<llama_context, FreeContext> context_;
    ggml_threadpool_t pool_ = nullptr;
    void (*pausePool_)(ggml_threadpool_t) = nullptr;
    void (*resumePool_)(ggml_threadpool_t) = nullptr;
    int vocabularySize_ = 0;
    std::vector<llama_token> cached_;
    const float *logits_ = nullptr;
};

template <typename T, typename Field> std::string list(const std::vector<T> &items, Field field) {
    std::ostringstream out;
    out.precision(9);
    for (size_t i = 0; i < items.size(); i++) {
        out << (i == 0 ? "[" : ",") << field(items[i]);
    }
    return items.empty() ? "[]" : out.str() + "]";
}

std::string answer(Peer &peer, const std::string &line) {
    std::istringstream in(line);
    std::string command;
    int count = 0;
    in >> command;
    if (command != "first") {
        in >> count;
    }
    std::vector<llama_token> prompt;
    for (llama_token token = 0; in >> token;) {
        prompt.push_back(token);
    }
    std::ostringstream out;
    out.precision(9);
    if (command == "first") {
        size_t reused = 0;
        const double seconds = peer.first(prompt, reused);
        out << "{\"seconds\":" << seconds << ",\"reused\":" << reused << "}";
    } else if (command == "decode") {
        std::vector<llama_token> tokens;
        const double seconds = peer.decode(prompt, count, tokens);
        out << "{\"seconds\":" << seconds << ",\"count\":" << tokens.size() << "}";
    } else if (command == "greedy") {
        const std::vector<Choice> choices = peer.greedy(prompt, count);
        out << "{\"tokens\":" << list(choices, [](const Choice &choice) { return choice.token; })
            << ",\"logprobs\":" << list(choices, [](const Choice &choice) { return choice.logprob; })
            << ",\"margins\":" << list(choices, [](const Choice &choice) { return choice.margin; }) << "}";
    } else {
        throw std::runtime_error("unknown command " + command);
    }
    return out.str();
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 4) {
        std::fprintf(stderr, "Usage: llama_peer MODEL.gguf THREADS CONTEXT [BACKEND_FOLDER]\n");
        return 2;
    }
    llama_log_set(
        [](ggml_log_level level, const char *text, void *) {
            if (level == GGML_LOG_LEVEL_ERROR) {
                std::fputs(text, stderr);
            }
        },
        nullptr);
    try {
        if (argc > 4) {
            ggml_backend_load_all_from_path(argv[4]);
        }
        llama_backend_init();
        const auto start = Clock::now();
        Peer peer(argv[1], std::stoi(argv[2]), static_cast<uint32_t>(std::stoul(argv[3])));
        peer.pause();
        std::cout << "{\"load\":" << secondsSince(start) << "}" << std::endl;
        for (std::string line; std::getline(std::cin, line);) {
            peer.resume();
            const std::string reply = answer(peer, line);
            peer.pause();
            std::cout << reply << std::endl;
        }
    } catch (const std::exception &error) {
        std::fprintf(stderr, "llama_peer: %s\n", error.what());
        return 1;
    }
    return 0;
}
