#include "model/model.h"

#include "model/model_error.h"
#include "model/safetensors_folder.h"
#include "model/tensor_roles.h"
#include "model/tokenizer_vocabulary.h"

namespace monokernel {

namespace {

uint64_t layerBytes(const LayerTensors &layer) {
    uint64_t sum = 0;
    for (const TensorView *const tensor :
         {&layer.attentionNorm, &layer.query, &layer.key, &layer.value, &layer.queryBias, &layer.keyBias,
          &layer.valueBias, &layer.queryNorm, &layer.keyNorm, &layer.output, &layer.ffnNorm, &layer.gate, &layer.up,
          &layer.down}) {
        sum += tensor->bytes.size();
    }
    return sum;
}

} // namespace

Model::Model() = default;
Model::Model(Model &&) noexcept = default;
Model &Model::operator=(Model &&) noexcept = default;
Model::~Model() = default;

Model Model::open(const std::filesystem::path &folder) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored)) {
        throw ModelError(ModelErrorCode::folderMissing,
                         folder.string() +
                             " is not a folder. Choose a folder with config.json and safetensors weights.");
    }
    Model model;
    model.spec_ = readModelSpec(folder);
    checkTokenizerVocabulary(folder, model.spec_);
    model.files_ = std::make_unique<SafetensorsFolder>(folder);
    ModelTensors tensors = findTensors(*model.files_, model.spec_);
    model.embedding_ = std::move(tensors.embedding);
    model.finalNorm_ = std::move(tensors.finalNorm);
    model.head_ = std::move(tensors.head);
    model.layers_ = std::move(tensors.layers);
    model.weightBytes_ = model.embedding_.bytes.size() + model.finalNorm_.bytes.size();
    if (!model.spec_.tiedEmbeddings) {
        model.weightBytes_ += model.head_.bytes.size();
    }
    for (const LayerTensors &layer : model.layers_) {
        model.weightBytes_ += layerBytes(layer);
    }
    return model;
}

} // namespace monokernel
