#pragma once

#include "model/safetensors_file.h"
#include "model/tensor.h"

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace monokernel {

/// The weights of a model folder: model.safetensors, or the shards that model.safetensors.index.json names.
class SafetensorsFolder {
public:
    /// Maps and checks every file. Throws ModelError.
    explicit SafetensorsFolder(const std::filesystem::path &folder);

    bool contains(const std::string &tensor) const { return places_.contains(tensor); }
    /// The tensor, whose shape must be `shape`, with elements of F32, F16 or BF16 aligned to their size. Throws
    /// ModelError tensorMissing, tensorShape, tensorType, or weightsMalformed (alignment).
    TensorView tensor(const std::string &name, const std::vector<uint64_t> &shape) const;

private:
    void openIndexed(const std::filesystem::path &folder, const std::filesystem::path &index);

    struct Place {
        size_t file;
        const SafetensorsEntry *entry;
    };
    std::string folder_;
    /// A deque, because places_ points into its elements.
    std::deque<SafetensorsFile> files_;
    std::map<std::string, Place, std::less<>> places_;
};

/// Tensor name -> shard file name, from a model.safetensors.index.json. Shards must be plain file names in the same
/// folder. `name` stands for the file in messages. Throws ModelError weightsMalformed.
std::map<std::string, std::string> readShardIndex(std::string_view text, const std::string &name);

} // namespace monokernel
