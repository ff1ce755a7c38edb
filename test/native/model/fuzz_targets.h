#pragma once

#include <filesystem>
#include <span>
#include <string_view>

/// One arbitrary input into one reader. Each returns whether the reader took it; a ModelError or JsonError is a
/// refusal. Anything else (another exception, a broken promise of the reader, a sanitizer's report) is a defect and
/// ends in an exception or abort. Inputs are copied to memory of their exact size, so that AddressSanitizer sees a read
/// past the end.
namespace fuzz {

bool json(std::string_view text);
bool safetensors(std::string_view image);
bool shardIndex(std::string_view text);

/// These write the input into `folder`, which holds the rest of a good model (see model_draft.h).
bool configuration(const std::filesystem::path &folder, std::string_view text);
bool tokenizer(const std::filesystem::path &folder, std::string_view text);
/// The input is model.safetensors; an opened model's views are read from end to end.
bool wholeModel(const std::filesystem::path &folder, std::string_view image);

} // namespace fuzz
