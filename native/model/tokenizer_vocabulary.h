#pragma once

#include "model/model_spec.h"

#include <filesystem>

namespace monokernel {

/// Where `folder` has a tokenizer.json: checks that each of its token ids, added tokens included, is inside the model's
/// vocabulary. Throws ModelError vocabularyMismatch, or configMalformed for a file that cannot be read.
void checkTokenizerVocabulary(const std::filesystem::path &folder, const ModelSpec &spec);

} // namespace monokernel
