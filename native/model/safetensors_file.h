#pragma once

#include "model/mapped_file.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace monokernel {

/// One tensor as a safetensors header describes it.
struct SafetensorsEntry {
    std::string type; ///< as in the file, for example "BF16"
    std::vector<uint64_t> shape;
    uint64_t begin = 0; ///< bytes from the start of the data
    uint64_t end = 0;
};

/// Checks a safetensors image (8-byte little-endian header length, JSON header, data) and returns its tensors by name.
/// The header must be whole and valid; every tensor's type known, its extent equal to its shape and inside the data;
/// the tensors must cover the data exactly, as the format demands: no overlap, no gap, nothing behind the last. `name`
/// stands for the file in messages. Throws ModelError weightsMalformed, weightsTruncated, weightsOverlapping. Format:
/// https://huggingface.co/docs/safetensors/index#format
struct SafetensorsHeader {
    std::map<std::string, SafetensorsEntry, std::less<>> tensors;
    uint64_t dataBegin = 0; ///< bytes from the start of the image

    static SafetensorsHeader read(std::span<const std::byte> image, const std::string &name);
};

/// A checked safetensors file, mapped.
class SafetensorsFile {
public:
    explicit SafetensorsFile(const std::filesystem::path &path);

    const std::string &name() const { return name_; }
    const std::map<std::string, SafetensorsEntry, std::less<>> &tensors() const { return header_.tensors; }
    /// nullptr where there is no such tensor.
    const SafetensorsEntry *find(std::string_view tensor) const;
    std::span<const std::byte> bytes(const SafetensorsEntry &entry) const;

private:
    std::string name_;
    MappedFile file_;
    SafetensorsHeader header_;
};

} // namespace monokernel
