#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace draft {

struct Tensor {
    std::string name;
    std::string type; ///< "BF16", "F32", ...
    std::vector<uint64_t> shape;
    std::string bytes;
};

/// The safetensors image of `tensors`, laid out one after the other.
std::string safetensorsImage(const std::vector<Tensor> &tensors);

/// A safetensors image with this header text as it is, and `dataBytes` zero bytes behind it.
std::string safetensorsImage(const std::string &header, size_t dataBytes);

/// A model folder in memory, good as it is made; tests spoil it and write it out.
struct ModelFolder {
    std::map<std::string, std::string> config; ///< config.json's members, values as JSON text
    std::vector<Tensor> tensors;
    std::map<std::string, std::string> files; ///< further files, or in the place of those made from the above
    std::set<std::string> removed;            ///< files not to write

    Tensor &tensor(const std::string &name);
    void remove(const std::string &name);
    /// Moves the tensors into `shards` files with an index, as the Hugging Face tools do.
    void shard(size_t shards);
    std::string configText() const;
    std::string weights() const { return safetensorsImage(tensors); }
    void write(const std::filesystem::path &folder) const;
};

/// One layer, 2 query and 1 KV heads of 8, hidden 16, 32 tokens.
ModelFolder llama();
/// Likewise, with what `model_type` "qwen2" or "qwen3" adds.
ModelFolder qwen(const std::string &type);
/// Two lanes, three layers, delay 1, 4 heads of 8, hidden 32, 32 tokens.
ModelFolder laneformer();

/// A fresh folder below the system's temporary one, removed with all that is in it.
class TemporaryFolder {
public:
    TemporaryFolder();
    TemporaryFolder(const TemporaryFolder &) = delete;
    TemporaryFolder &operator=(const TemporaryFolder &) = delete;
    ~TemporaryFolder();
    const std::filesystem::path &path() const { return path_; }

private:
    std::filesystem::path path_;
};

void writeFile(const std::filesystem::path &path, const std::string &bytes);

} // namespace draft
