#include "model/safetensors_folder.h"

#include "model/json_reader.h"
#include "model/model_error.h"
#include "model/quote.h"

#include <optional>

namespace monokernel {

namespace {

constexpr size_t largestIndex = 64 << 20;

[[noreturn]] void malformedIndex(const std::string &file, const std::string &what) {
    throw ModelError(ModelErrorCode::weightsMalformed, file + ": " + what + ". Download the file again.");
}

/// A shard may only be a file beside its index: no path leads out of the model folder.
bool isPlainFileName(const std::string &name) {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\\:\0", 4)) == std::string::npos;
}

std::string shown(const std::vector<uint64_t> &shape) {
    std::string out = "[";
    for (const uint64_t extent : shape) {
        out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
    }
    return out + "]";
}

std::optional<DataType> dataTypeOf(const std::string &type) {
    if (type == "BF16") {
        return DataType::bf16;
    }
    if (type == "F16") {
        return DataType::f16;
    }
    if (type == "F32") {
        return DataType::f32;
    }
    return std::nullopt;
}

} // namespace

std::map<std::string, std::string> readShardIndex(std::string_view text, const std::string &name) {
    std::map<std::string, std::string> shards;
    bool mapped = false;
    try {
        JsonReader reader(text);
        reader.readObject([&](const std::string &member) {
            if (member != "weight_map") {
                return reader.skip();
            }
            mapped = true;
            reader.readObject([&](const std::string &tensor) {
                const std::string shard = reader.readString();
                if (!isPlainFileName(shard)) {
                    malformedIndex(name, "tensor " + quote(tensor) + " is said to be in " + quote(shard) +
                                             ", which is not the name of a file in this folder");
                }
                shards.emplace(tensor, shard);
            });
        });
        reader.readEnd();
    } catch (const JsonError &error) {
        malformedIndex(name, std::string("it is not a valid index: ") + error.what());
    }
    if (!mapped) {
        malformedIndex(name, "weight_map is missing");
    }
    return shards;
}

SafetensorsFolder::SafetensorsFolder(const std::filesystem::path &folder) : folder_(folder.string()) {
    const std::filesystem::path single = folder / "model.safetensors";
    const std::filesystem::path index = folder / "model.safetensors.index.json";
    std::error_code ignored;
    if (std::filesystem::exists(single, ignored)) {
        files_.emplace_back(single);
        for (const auto &[tensor, entry] : files_.front().tensors()) {
            places_.emplace(tensor, Place{0, &entry});
        }
    } else if (std::filesystem::exists(index, ignored)) {
        openIndexed(folder, index);
    } else {
        throw ModelError(ModelErrorCode::fileMissing,
                         single.string() + " is missing, and so is model.safetensors.index.json. Choose a folder with "
                                           "safetensors weights, or convert the model to safetensors.");
    }
}

void SafetensorsFolder::openIndexed(const std::filesystem::path &folder, const std::filesystem::path &index) {
    std::map<std::string, size_t> opened;
    for (const auto &[tensor, shard] : readShardIndex(readTextFile(index, largestIndex), index.string())) {
        auto found = opened.find(shard);
        if (found == opened.end()) {
            files_.emplace_back(folder / shard);
            found = opened.emplace(shard, files_.size() - 1).first;
        }
        const SafetensorsEntry *const entry = files_[found->second].find(tensor);
        if (entry == nullptr) {
            throw ModelError(ModelErrorCode::tensorMissing, index.string() + " says that tensor " + quote(tensor) +
                                                                " is in " + quote(shard) +
                                                                ", but it is not. Download both files again.");
        }
        places_.emplace(tensor, Place{found->second, entry});
    }
}

TensorView SafetensorsFolder::tensor(const std::string &name, const std::vector<uint64_t> &shape) const {
    const auto found = places_.find(name);
    if (found == places_.end()) {
        throw ModelError(ModelErrorCode::tensorMissing, "Tensor " + quote(name) +
                                                            " is in none of the weight files in " + folder_ +
                                                            ". config.json and the weights do not belong "
                                                            "together, or the download is not complete.");
    }
    const SafetensorsFile &file = files_[found->second.file];
    const SafetensorsEntry &entry = *found->second.entry;
    const std::string where = file.name() + ": tensor " + quote(name);
    if (entry.shape != shape) {
        throw ModelError(ModelErrorCode::tensorShape, where + " has the shape " + shown(entry.shape) +
                                                          ", config.json asks for " + shown(shape) +
                                                          ". config.json and the weights do not belong together.");
    }
    const std::optional<DataType> type = dataTypeOf(entry.type);
    if (!type) {
        throw ModelError(ModelErrorCode::tensorType,
                         where + " has the dtype " + quote(entry.type) +
                             "; BF16, F16 and F32 are supported. Choose the model in one of "
                             "these.");
    }
    const std::span<const std::byte> bytes = file.bytes(entry);
    if (reinterpret_cast<uintptr_t>(bytes.data()) % dataTypeSize(*type) != 0) {
        throw ModelError(ModelErrorCode::weightsMalformed, where + " is not aligned to its element size. Save the file "
                                                                   "again with a current safetensors version.");
    }
    return {*type, shape, bytes};
}

} // namespace monokernel
