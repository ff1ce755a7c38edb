#include "check.h"
#include "fuzz_targets.h"
#include "model_draft.h"

#include <cstring>
#include <functional>
#include <random>

namespace {

constexpr uint64_t seed = 20261123;

/// Random edits of a good input: bytes, spans, numbers, words that readers treat specially.
class Mutator {
public:
    explicit Mutator(uint64_t start) : random_(start) {}

    std::string mutate(std::string text) {
        for (size_t edits = 1 + below(3); edits > 0; edits--) {
            edit(text);
        }
        return text;
    }

    /// Edits the header's text and puts the right length before it, so that more than the length is tried.
    std::string mutateHeader(const std::string &image) {
        uint64_t length = 0;
        std::memcpy(&length, image.data(), sizeof length);
        const std::string header = mutate(image.substr(8, length));
        const uint64_t changed = header.size();
        std::string out(8, '\0');
        std::memcpy(out.data(), &changed, sizeof changed);
        return out + header + image.substr(8 + length);
    }

    size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }

private:
    void edit(std::string &text) {
        const size_t at = below(text.size() + 1);
        const size_t span = std::min(1 + below(24), text.size() - at);
        switch (below(8)) {
        case 0:
            text.insert(at, 1, static_cast<char>(below(256)));
            break;
        case 1:
            text.erase(at, span);
            break;
        case 2:
            text.insert(at, text.substr(below(text.size() + 1), span));
            break;
        case 3:
            text.insert(at, word());
            break;
        case 4:
            text.resize(at);
            break;
        case 5:
            replaceNumber(text, at);
            break;
        case 6:
            swapSpans(text, at, span);
            break;
        default:
            if (at < text.size()) {
                text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
            }
        }
    }

    const char *word() {
        static constexpr const char *words[] = {"{",         "}",
                                                "[",         "]",
                                                ",",         ":",
                                                "\"",        "\\",
                                                "null",      "true",
                                                "-1",        "1e9",
                                                "0",         "\\u0000",
                                                "\\ud800",   "\xC0",
                                                "\"shape\"", "\"dtype\"",
                                                "\"F4\"",    "\"BF16\"",
                                                "\"F32\"",   "[[[[[[[",
                                                "../",       "\"llama\"",
                                                "\"yarn\"",  "\"laneformer\""};
        return words[below(std::size(words))];
    }

    void replaceNumber(std::string &text, size_t at) {
        static constexpr const char *numbers[] = {"0",
                                                  "1",
                                                  "2",
                                                  "-1",
                                                  "7",
                                                  "8",
                                                  "16",
                                                  "32",
                                                  "255",
                                                  "65536",
                                                  "4294967295",
                                                  "4294967296",
                                                  "16777216",
                                                  "1048576",
                                                  "1.5",
                                                  "1e308",
                                                  "9223372036854775807",
                                                  "9223372036854775808",
                                                  "18446744073709551616"};
        const size_t begin = text.find_first_of("0123456789", at);
        if (begin != std::string::npos) {
            const size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
            text.replace(begin, end - begin, numbers[below(std::size(numbers))]);
        }
    }

    void swapSpans(std::string &text, size_t at, size_t span) {
        const size_t other = below(text.size() + 1);
        for (size_t i = 0; i < span && other + i < text.size(); i++) {
            std::swap(text[at + i], text[other + i]);
        }
    }

    std::mt19937_64 random_;
};

/// Runs `target` on the inputs and on mutations of them. Good inputs must be taken; mutations must come out both ways,
/// or the test would say nothing.
void run(const std::vector<std::string> &inputs, const std::function<bool(const std::string &)> &target,
         const std::function<std::string(Mutator &, const std::string &)> &mutate, int rounds = 20000) {
    for (const std::string &input : inputs) {
        CHECK(target(input));
    }
    Mutator mutator(seed);
    int taken = 0;
    for (int round = 0; round < rounds; round++) {
        const std::string mutated = mutate(mutator, inputs[mutator.below(inputs.size())]);
        try {
            taken += target(mutated) ? 1 : 0;
        } catch (const std::exception &error) {
            CHECK_MESSAGE(false, "round " + std::to_string(round) + ": " + error.what());
        }
    }
    std::printf("     %d of %d mutations taken\n", taken, rounds);
    CHECK(taken > rounds / 200 && taken < rounds);
}

std::string mutateText(Mutator &mutator, const std::string &text) { return mutator.mutate(text); }

std::string mutateImage(Mutator &mutator, const std::string &image) {
    return mutator.below(4) == 0 ? mutator.mutate(image) : mutator.mutateHeader(image);
}

std::vector<std::string> configurations() {
    draft::ModelFolder scaled = draft::llama();
    scaled.config["rope_scaling"] = R"({"rope_type": "yarn", "factor": 4.0, "beta_fast": 32, "beta_slow": 1})";
    draft::ModelFolder windowed = draft::qwen("qwen2");
    windowed.config["use_sliding_window"] = "true";
    windowed.config["sliding_window"] = "16";
    windowed.config.emplace("max_window_layers", "0");
    windowed.config["layer_types"] = R"(["sliding_attention"])";
    windowed.config["rope_scaling"] =
        R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,)"
        R"( "original_max_position_embeddings": 32})";
    return {scaled.configText(), windowed.configText(), draft::laneformer().configText()};
}

} // namespace

TEST(jsonReader) {
    run({R"({"a": [1, -2.5e3, true, null, "x\u00e9\ud83d\ude00\n"], "b": {"c": {}}, "d": []})"}, fuzz::json,
        mutateText);
}

TEST(safetensorsReader) {
    run({draft::llama().weights(), draft::safetensorsImage("{}", 0),
         draft::safetensorsImage({{"a", "F4", {3, 2}, "abc"}, {"b", "C64", {1}, "12345678"}, {"c", "U8", {0}, ""}})},
        fuzz::safetensors, mutateImage);
}

TEST(shardIndexReader) {
    draft::ModelFolder folder = draft::llama();
    folder.shard(3);
    run({folder.files.at("model.safetensors.index.json")}, fuzz::shardIndex, mutateText);
}

TEST(configurationReader) {
    const draft::TemporaryFolder folder;
    run(
        configurations(), [&](const std::string &text) { return fuzz::configuration(folder.path(), text); },
        mutateText);
}

TEST(tokenizerReader) {
    const draft::TemporaryFolder folder;
    run(
        {draft::llama().files.at("tokenizer.json"), R"({"model": {"vocab": [["a", -1.5], ["b", 0]]}})"},
        [&](const std::string &text) { return fuzz::tokenizer(folder.path(), text); }, mutateText);
}

TEST(wholeModel) {
    const draft::TemporaryFolder folder;
    draft::llama().write(folder.path());
    run(
        {draft::llama().weights()}, [&](const std::string &image) { return fuzz::wholeModel(folder.path(), image); },
        mutateImage, 5000);
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
