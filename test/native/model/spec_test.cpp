#include "check.h"
#include "model/model_spec.h"
#include "model_draft.h"

#include <cmath>

using namespace monokernel;
using draft::ModelFolder;

namespace {

ModelSpec read(const ModelFolder &folder) {
    const draft::TemporaryFolder temporary;
    folder.write(temporary.path());
    return readModelSpec(temporary.path());
}

std::vector<uint32_t> windows(const ModelSpec &spec) {
    std::vector<uint32_t> all;
    for (uint32_t layer = 0; layer < spec.layerCount; layer++) {
        all.push_back(spec.window(layer));
    }
    return all;
}

bool near(float value, double expected) { return std::abs(value - expected) <= 1e-6 * std::abs(expected); }

ModelFolder withRope(const char *scaling) {
    ModelFolder folder = draft::llama();
    folder.config["head_dim"] = "16";
    folder.config["rope_theta"] = "500000.0";
    folder.config["max_position_embeddings"] = "131072";
    if (scaling != nullptr) {
        folder.config["rope_scaling"] = scaling;
    }
    return folder;
}

void checkFrequencies(const ModelSpec &spec, const std::vector<double> &expected) {
    if (CHECK(spec.ropeInverseFrequency.size() == expected.size())) {
        for (size_t i = 0; i < expected.size(); i++) {
            CHECK_MESSAGE(near(spec.ropeInverseFrequency[i], expected[i]),
                          std::to_string(i) + ": " + std::to_string(spec.ropeInverseFrequency[i]));
        }
    }
}

} // namespace

// Expected frequencies: Python, written from the definitions (wavelength by wavelength), not from our code.
TEST(plainRope) {
    const ModelSpec spec = read(withRope(nullptr));
    checkFrequencies(spec, {1.0000000000e+00, 1.9392274475e-01, 3.7606030931e-02, 7.2926647372e-03, 1.4142135624e-03,
                            2.7424817568e-04, 5.3182958969e-05, 1.0313385377e-05});
    CHECK(near(spec.ropeScale, 1.0));
}

TEST(linearRope) {
    const ModelSpec spec = read(withRope(R"({"type": "linear", "factor": 4.0})"));
    checkFrequencies(spec, {2.5000000000e-01, 4.8480686187e-02, 9.4015077327e-03, 1.8231661843e-03, 3.5355339059e-04,
                            6.8562043919e-05, 1.3295739742e-05, 2.5783463443e-06});
    CHECK(near(spec.ropeScale, 1.0));
}

TEST(llama3Rope) {
    const ModelSpec spec = read(withRope(
        R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"));
    checkFrequencies(spec, {1.0000000000e+00, 1.9392274475e-01, 3.7606030931e-02, 7.2926647372e-03, 5.2484616099e-04,
                            3.4281021960e-05, 6.6478698712e-06, 1.2891731722e-06});
    CHECK(near(spec.ropeScale, 1.0));
}

TEST(yarnRope) {
    const ModelSpec spec =
        read(withRope(R"({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768})"));
    checkFrequencies(spec, {1.0000000000e+00, 1.9392274475e-01, 3.7606030931e-02, 7.2926647372e-03, 1.0606601718e-03,
                            1.3712408784e-04, 1.3295739742e-05, 2.5783463443e-06});
    CHECK(near(spec.ropeScale, 1.138629436111989));
}

TEST(yarnRopeWithItsOptions) {
    const ModelSpec spec = read(withRope(
        R"({"rope_type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 16, "beta_slow": 2, "mscale": 1.0, "mscale_all_dim": 0.8, "truncate": false})"));
    checkFrequencies(spec, {1.0000000000e+00, 1.9392274475e-01, 3.7606030931e-02, 3.1429841783e-03, 3.5355339059e-05,
                            6.8562043919e-06, 1.3295739742e-06, 2.5783463443e-07});
    CHECK(near(spec.ropeScale, 1.0569662567531275));
}

TEST(yarnRopeWithAttentionFactor) {
    const ModelSpec spec = read(withRope(R"({"rope_type": "yarn", "factor": 4.0, "attention_factor": 1.5})"));
    checkFrequencies(spec, {1.0000000000e+00, 1.9392274475e-01, 3.7606030931e-02, 7.2926647372e-03, 1.1490485194e-03,
                            1.7140510980e-04, 2.3267544549e-05, 2.5783463443e-06});
    CHECK(near(spec.ropeScale, 1.5));
}

/// With so small a base every pair turns often within the context, so none is slowed down.
TEST(yarnRopeWithNothingToScale) {
    ModelFolder folder = withRope(R"({"rope_type": "yarn", "factor": 4.0})");
    folder.config["rope_theta"] = "2.0";
    ModelFolder plain = withRope(nullptr);
    plain.config["rope_theta"] = "2.0";
    CHECK(read(folder).ropeInverseFrequency == read(plain).ropeInverseFrequency);
}

TEST(ropeOfNewerFiles) {
    ModelFolder folder = withRope(nullptr);
    folder.config.erase("rope_theta");
    folder.config["rope_parameters"] = R"({"rope_type": "default", "rope_theta": 500000.0})";
    CHECK(read(folder).ropeInverseFrequency == read(withRope(nullptr)).ropeInverseFrequency);
}

TEST(ropeBaseHasTheUsualDefault) {
    ModelFolder folder = draft::llama();
    folder.config.erase("rope_theta");
    CHECK(read(folder).ropeInverseFrequency == read(draft::llama()).ropeInverseFrequency);
}

TEST(qwenWindows) {
    ModelFolder folder = draft::qwen("qwen2");
    folder.config["num_hidden_layers"] = "4";
    folder.config["sliding_window"] = "16";
    folder.config["max_window_layers"] = "3";
    CHECK((windows(read(folder)) == std::vector<uint32_t>{0, 0, 0, 0}));
    folder.config["use_sliding_window"] = "false";
    CHECK((windows(read(folder)) == std::vector<uint32_t>{0, 0, 0, 0}));
    folder.config["use_sliding_window"] = "true";
    CHECK((windows(read(folder)) == std::vector<uint32_t>{0, 0, 0, 16}));
    folder.config["layer_types"] = R"(["full_attention", "full_attention", "full_attention", "sliding_attention"])";
    CHECK((windows(read(folder)) == std::vector<uint32_t>{0, 0, 0, 16}));
    folder.config.erase("layer_types");
    folder.config["max_window_layers"] = "0";
    CHECK((windows(read(folder)) == std::vector<uint32_t>{16, 16, 16, 16}));
    folder.config["max_window_layers"] = "28";
    CHECK((windows(read(folder)) == std::vector<uint32_t>{0, 0, 0, 0}));
}

TEST(laneformerWindowsFromEitherEnd) {
    ModelFolder folder = draft::laneformer();
    const auto withLayers = [&](const char *layers) {
        folder.config["sliding_window_n_layers"] = layers;
        return windows(read(folder));
    };
    CHECK((withLayers("2") == std::vector<uint32_t>{16, 16, 0}));
    CHECK((withLayers("-1") == std::vector<uint32_t>{0, 0, 16}));
    CHECK((withLayers("0") == std::vector<uint32_t>{0, 0, 0}));
    CHECK((withLayers("7") == std::vector<uint32_t>{16, 16, 16}));
    CHECK((withLayers("-7") == std::vector<uint32_t>{16, 16, 16}));
    folder.config["sliding_window"] = "null";
    CHECK((withLayers("2") == std::vector<uint32_t>{0, 0, 0}));
}

TEST(laneReductions) {
    ModelFolder folder = draft::laneformer();
    const auto reductions = [&] {
        const ModelSpec spec = read(folder);
        return std::vector{spec.reduction(0), spec.reduction(1), spec.reduction(2)};
    };
    using enum LaneReduction;
    CHECK((reductions() == std::vector{scaledOwn, past, past}));
    folder.config["use_early_comm"] = "true";
    CHECK((reductions() == std::vector{present, past, past}));
    folder.config["use_comm"] = "false";
    CHECK((reductions() == std::vector{present, scaledOwn, scaledOwn}));
    folder.config["use_comm"] = "true";
    folder.config["broadcast_delay"] = "0";
    CHECK((reductions() == std::vector{present, present, present}));
    folder.config["broadcast_delay"] = "99";
    CHECK((reductions() == std::vector{present, present, present}));
    CHECK(read(folder).broadcastDelay == 3);
    folder.config["num_lanes"] = "1"; // the sum over one lane is that lane's own partial, whenever it is taken
    folder.config["use_early_comm"] = "false";
    folder.config["broadcast_delay"] = "1";
    CHECK((reductions() == std::vector{present, present, present}));
}

TEST(defaultsOfAbsentMembers) {
    ModelFolder folder = draft::llama();
    folder.config["head_dim"] = "null";
    folder.config.erase("num_key_value_heads");
    folder.config.erase("rms_norm_eps");
    folder.config.erase("tie_word_embeddings");
    folder.config.erase("eos_token_id");
    const ModelSpec spec = read(folder);
    CHECK(spec.headDim == 8 && spec.kvHeadCount == 2 && spec.normEpsilon == 1e-6f && !spec.tiedEmbeddings);
    CHECK(spec.endTokens.empty());
    ModelFolder qwen3 = draft::qwen("qwen3");
    qwen3.config.erase("head_dim");
    CHECK(read(qwen3).headDim == 128);
}

TEST(endTokensOfBothFiles) {
    ModelFolder folder = draft::llama();
    folder.files["generation_config.json"] = R"({"eos_token_id": [7, 3, 5]})";
    CHECK((read(folder).endTokens == std::vector<int32_t>{3, 5, 7}));
    folder.files["generation_config.json"] = R"({"eos_token_id": null})";
    CHECK((read(folder).endTokens == std::vector<int32_t>{3}));
}

TEST(bothNamesOfLaneformer) {
    ModelFolder folder = draft::laneformer();
    folder.config["model_type"] = "\"laneformer\"";
    CHECK(read(folder).family == Family::laneformer);
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
