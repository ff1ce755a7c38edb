#include "check.h"
#include "model/model.h"

#include <filesystem>

using namespace monokernel;

namespace {

const std::filesystem::path golden = MONOKERNEL_GOLDEN;
const std::filesystem::path models = MONOKERNEL_MODELS;

std::vector<LaneReduction> reductions(const ModelSpec &spec) {
    std::vector<LaneReduction> all;
    for (uint32_t layer = 0; layer < spec.layerCount; layer++) {
        all.push_back(spec.reduction(layer));
    }
    return all;
}

std::vector<uint32_t> windows(const ModelSpec &spec) {
    std::vector<uint32_t> all;
    for (uint32_t layer = 0; layer < spec.layerCount; layer++) {
        all.push_back(spec.window(layer));
    }
    return all;
}

constexpr LaneReduction scaledOwn = LaneReduction::scaledOwn;
constexpr LaneReduction present = LaneReduction::present;
constexpr LaneReduction past = LaneReduction::past;

/// What the laneformer checkpoints share; each test looks at what its checkpoint has of its own.
Model openLaneformer(const char *name) {
    Model model = Model::open(golden / name);
    const ModelSpec &spec = model.spec();
    CHECK(spec.family == Family::laneformer);
    CHECK(spec.ropePairs == RopePairs::interleaved);
    CHECK(spec.vocabularySize == 320 && spec.layerCount == 5 && spec.ffnSize == 256 && spec.maxPositions == 256);
    CHECK(spec.headDim == 16 && spec.kvHeadCount == 8);
    CHECK(spec.ropeInverseFrequency.size() == 8 && spec.ropeInverseFrequency[0] == 1.0f && spec.ropeScale == 1.0f);
    CHECK(spec.normEpsilon == 1e-5f);
    CHECK(spec.endTokens == std::vector<int32_t>{0});
    CHECK(!spec.qkvBias && !spec.qkNorm);
    CHECK(model.layers().size() == 5);
    const LayerTensors &layer = model.layers()[4];
    const uint64_t lanes = spec.laneCount;
    const uint64_t hidden = spec.hiddenSize;
    const uint64_t query = spec.headsPerLane() * 16;
    CHECK((layer.query.shape == std::vector<uint64_t>{lanes, query, hidden}));
    CHECK((layer.key.shape == std::vector<uint64_t>{lanes, 128 / lanes, hidden}));
    CHECK((layer.output.shape == std::vector<uint64_t>{lanes, hidden, query}));
    CHECK((layer.gate.shape == std::vector<uint64_t>{lanes, 256 / lanes, hidden}));
    CHECK((layer.down.shape == std::vector<uint64_t>{lanes, hidden, 256 / lanes}));
    CHECK(layer.query.type == DataType::bf16 && layer.query.bytes.size() == layer.query.elementCount() * 2);
    return model;
}

uint64_t fileData(const char *name) { return std::filesystem::file_size(golden / name / "model.safetensors"); }

} // namespace

TEST(laneformerDelay2) {
    const Model model = openLaneformer("laneformer-delay2");
    const ModelSpec &spec = model.spec();
    CHECK(spec.laneCount == 8 && spec.broadcastDelay == 2 && spec.hiddenSize == 128 && spec.headCount == 8);
    CHECK((reductions(spec) == std::vector{scaledOwn, scaledOwn, past, past, past}));
    CHECK((windows(spec) == std::vector<uint32_t>{8, 8, 8, 0, 0}));
    CHECK(!spec.tiedEmbeddings && !spec.perLaneNorm && !spec.preNormLaneAggregation);
    CHECK((model.head().shape == std::vector<uint64_t>{320, 128}));
    CHECK((model.finalNorm().shape == std::vector<uint64_t>{128}));
    // All tensors of the file are used, so their bytes are all of it but the header.
    CHECK(model.weightBytes() < fileData("laneformer-delay2") &&
          model.weightBytes() + 8192 > fileData("laneformer-delay2"));
}

TEST(laneformerEarlyComm) {
    const Model model = openLaneformer("laneformer-early-comm");
    CHECK((reductions(model.spec()) == std::vector{present, present, past, past, past}));
}

TEST(laneformerGroupedQueriesTied) {
    const Model model = openLaneformer("laneformer-gqa-tied");
    CHECK(model.spec().headCount == 16 && model.spec().hiddenSize == 256 && model.spec().tiedEmbeddings);
    CHECK(model.head().bytes.data() == model.embedding().bytes.data());
    CHECK((model.head().shape == std::vector<uint64_t>{320, 256}));
}

TEST(laneformerVocabularyParallel) {
    const Model model = openLaneformer("laneformer-vocab-parallel");
    CHECK(model.spec().headType == HeadType::vocabularyParallel && model.spec().broadcastDelay == 1);
    CHECK((model.head().shape == std::vector<uint64_t>{8, 40, 128}));
    CHECK((reductions(model.spec()) == std::vector{scaledOwn, past, past, past, past}));
}

TEST(laneformerPreNormAggregation) {
    const Model model = openLaneformer("laneformer-prenorm-agg");
    CHECK(model.spec().preNormLaneAggregation && model.spec().headType == HeadType::replicate);
    CHECK((windows(model.spec()) == std::vector<uint32_t>{0, 0, 0, 0, 0}));
}

TEST(laneformerNormPerLane) {
    const Model model = openLaneformer("laneformer-lane-norm");
    CHECK(model.spec().perLaneNorm && model.spec().laneCount == 4);
    CHECK((model.finalNorm().shape == std::vector<uint64_t>{4, 128}));
    CHECK((model.layers()[0].ffnNorm.shape == std::vector<uint64_t>{4, 128}));
    CHECK((windows(model.spec()) == std::vector<uint32_t>{0, 0, 0, 8, 8}));
}

TEST(llama) {
    const Model model = Model::open(golden / "llama");
    const ModelSpec &spec = model.spec();
    CHECK(spec.family == Family::llama && spec.laneCount == 1 && spec.ropePairs == RopePairs::halves);
    CHECK(spec.headCount == 8 && spec.kvHeadCount == 4 && spec.headDim == 16 && !spec.tiedEmbeddings);
    CHECK((reductions(spec) == std::vector{present, present, present, present}));
    const LayerTensors &layer = model.layers()[3];
    CHECK((layer.query.shape == std::vector<uint64_t>{1, 128, 128}));
    CHECK((layer.value.shape == std::vector<uint64_t>{1, 64, 128}));
    CHECK((layer.down.shape == std::vector<uint64_t>{1, 128, 256}));
    CHECK(layer.queryBias.empty() && layer.queryNorm.empty());
}

TEST(qwen2) {
    const Model model = Model::open(golden / "qwen2");
    CHECK(model.spec().family == Family::qwen2 && model.spec().qkvBias && model.spec().tiedEmbeddings);
    CHECK((model.layers()[0].queryBias.shape == std::vector<uint64_t>{128}));
    CHECK((model.layers()[0].keyBias.shape == std::vector<uint64_t>{64}));
    CHECK((model.layers()[0].valueBias.shape == std::vector<uint64_t>{64}));
}

TEST(qwen3) {
    const Model model = Model::open(golden / "qwen3");
    CHECK(model.spec().family == Family::qwen3 && model.spec().qkNorm && model.spec().headDim == 32);
    CHECK((model.layers()[0].query.shape == std::vector<uint64_t>{1, 256, 128}));
    CHECK((model.layers()[0].output.shape == std::vector<uint64_t>{1, 128, 256}));
    CHECK((model.layers()[0].queryNorm.shape == std::vector<uint64_t>{32}));
    CHECK(model.spec().ropeInverseFrequency.size() == 16);
}

TEST(shardedDefaultModel) {
    const Model model = Model::open(models / "laneformer-nano");
    const ModelSpec &spec = model.spec();
    CHECK(spec.vocabularySize == 16384 && spec.hiddenSize == 512 && spec.layerCount == 10 && spec.headDim == 64);
    CHECK((spec.endTokens == std::vector<int32_t>{0, 8}));
    CHECK(spec.window(5) == 512 && spec.window(6) == 0);
    CHECK(model.weightBytes() == 84956160); // total_size of its index
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
