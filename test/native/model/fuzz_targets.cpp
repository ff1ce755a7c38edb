#include "fuzz_targets.h"

#include "model/json_reader.h"
#include "model/json_value.h"
#include "model/model.h"
#include "model/model_error.h"
#include "model/safetensors_folder.h"
#include "model/tokenizer_vocabulary.h"
#include "model_draft.h"

#include <cmath>
#include <stdexcept>

namespace fuzz {

using namespace monokernel;

namespace {

void promise(bool kept, const char *what) {
    if (!kept) {
        throw std::logic_error(std::string("broken promise: ") + what);
    }
}

std::vector<char> exactCopy(std::string_view text) { return {text.begin(), text.end()}; }

template <typename Action> bool accepted(Action &&action) {
    try {
        action();
        return true;
    } catch (const ModelError &error) {
        promise(std::string_view(error.what()).size() > 10, "a message that says something");
    } catch (const JsonError &error) {
        promise(std::string_view(error.what()).starts_with("line "), "a message with its place");
    }
    return false;
}

void checkHeader(const SafetensorsHeader &header, size_t imageBytes) {
    uint64_t sum = 0;
    promise(header.dataBegin <= imageBytes, "data begins inside the file");
    const uint64_t dataBytes = imageBytes - header.dataBegin;
    for (const auto &[name, entry] : header.tensors) {
        promise(entry.begin <= entry.end && entry.end <= dataBytes, "a tensor lies inside the data");
        sum += entry.end - entry.begin;
    }
    promise(sum == dataBytes, "the tensors cover the data");
}

void checkSpec(const ModelSpec &spec) {
    promise(spec.vocabularySize > 0 && spec.hiddenSize > 0 && spec.layerCount > 0 && spec.ffnSize > 0, "sizes");
    promise(spec.laneCount > 0 && spec.headCount % spec.laneCount == 0, "query heads by lanes");
    promise(spec.kvHeadCount > 0 && spec.kvHeadCount % spec.laneCount == 0, "KV heads by lanes");
    promise(spec.headCount % spec.kvHeadCount == 0, "query heads by KV heads");
    promise(spec.ffnSize % spec.laneCount == 0, "FFN by lanes");
    promise(spec.headType != HeadType::vocabularyParallel || spec.vocabularySize % spec.laneCount == 0,
            "head by lanes");
    promise(spec.headDim > 0 && spec.headDim % 8 == 0, "head_dim");
    promise(spec.ropeInverseFrequency.size() == spec.headDim / 2, "one frequency a pair");
    for (const float frequency : spec.ropeInverseFrequency) {
        promise(std::isfinite(frequency) && frequency >= 0.0f, "finite frequencies");
    }
    promise(std::isfinite(spec.ropeScale) && spec.ropeScale > 0.0f, "the RoPE scale");
    promise(std::isfinite(spec.normEpsilon), "the norm's epsilon");
    promise(spec.broadcastDelay <= spec.layerCount, "the delay");
    for (const int32_t token : spec.endTokens) {
        promise(token >= 0 && static_cast<uint32_t>(token) < spec.vocabularySize, "end tokens");
    }
}

/// Reads every byte, so that a view beyond its mapping faults or is reported.
void readAll(const TensorView &view) {
    [[maybe_unused]] static volatile uint8_t sink = 0;
    promise(view.bytes.size() == view.elementCount() * dataTypeSize(view.type), "a view's bytes fit its shape");
    uint8_t sum = 0;
    for (const std::byte byte : view.bytes) {
        sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(byte));
    }
    sink = sum;
}

} // namespace

bool json(std::string_view text) {
    const std::vector<char> copy = exactCopy(text);
    return accepted([&] { parseJson({copy.data(), copy.size()}); });
}

bool safetensors(std::string_view image) {
    const std::vector<char> copy = exactCopy(image);
    return accepted(
        [&] { checkHeader(SafetensorsHeader::read(std::as_bytes(std::span(copy)), "image"), copy.size()); });
}

bool shardIndex(std::string_view text) {
    const std::vector<char> copy = exactCopy(text);
    return accepted([&] {
        for (const auto &[tensor, shard] : readShardIndex({copy.data(), copy.size()}, "index")) {
            promise(std::filesystem::path(shard).filename() == shard && shard != "..", "shards stay in their folder");
        }
    });
}

bool configuration(const std::filesystem::path &folder, std::string_view text) {
    draft::writeFile(folder / "config.json", std::string(text));
    return accepted([&] { checkSpec(readModelSpec(folder)); });
}

bool tokenizer(const std::filesystem::path &folder, std::string_view text) {
    draft::writeFile(folder / "tokenizer.json", std::string(text));
    ModelSpec spec;
    spec.vocabularySize = 32;
    return accepted([&] { checkTokenizerVocabulary(folder, spec); });
}

bool wholeModel(const std::filesystem::path &folder, std::string_view image) {
    draft::writeFile(folder / "model.safetensors", std::string(image));
    return accepted([&] {
        const Model model = Model::open(folder);
        readAll(model.embedding());
        readAll(model.finalNorm());
        readAll(model.head());
        for (const LayerTensors &layer : model.layers()) {
            for (const TensorView *const view : {&layer.attentionNorm, &layer.query, &layer.key, &layer.value,
                                                 &layer.output, &layer.ffnNorm, &layer.gate, &layer.up, &layer.down}) {
                readAll(*view);
            }
        }
    });
}

} // namespace fuzz
