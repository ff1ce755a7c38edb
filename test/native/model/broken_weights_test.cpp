#include "broken.h"
#include "check.h"

#include <algorithm>
#include <sys/stat.h>

using namespace broken;

namespace {

ModelFolder qwen2() { return draft::qwen("qwen2"); }
ModelFolder qwen3() { return draft::qwen("qwen3"); }

ModelFolder sharded() {
    ModelFolder folder = draft::llama();
    folder.shard(3);
    return folder;
}

const std::string key = "model.layers.0.self_attn.k_proj.weight";
const std::string gate = "model.layers.0.mlp.gate_proj.weight";

const std::vector<Case> &cases() {
    static const std::vector<Case> all = {
        {"no weights",
         draft::llama,
         [](ModelFolder &f) { f.removed.insert("model.safetensors"); },
         Code::fileMissing,
         {"model.safetensors", "index.json", "convert"}},
        {"an empty weight file",
         draft::llama,
         [](ModelFolder &f) { f.files["model.safetensors"] = ""; },
         Code::weightsTruncated,
         {"model.safetensors"}},
        {"a Git LFS pointer",
         draft::llama,
         [](ModelFolder &f) {
             f.files["model.safetensors"] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n";
         },
         Code::weightsMalformed,
         {"model.safetensors", "git lfs pull"}},
        {"an impossible header length",
         draft::llama,
         [](ModelFolder &f) { f.files["model.safetensors"] = std::string(64, '\xFF'); },
         Code::weightsMalformed,
         {"model.safetensors", "header length"}},
        {"a header longer than the file",
         draft::llama,
         [](ModelFolder &f) { f.files["model.safetensors"] = f.weights().substr(0, 300); },
         Code::weightsTruncated,
         {"model.safetensors", "header"}},
        {"a header that is no JSON",
         draft::llama,
         [](ModelFolder &f) { f.files["model.safetensors"] = draft::safetensorsImage("{tensors}", 0); },
         Code::weightsMalformed,
         {"model.safetensors", "header"}},
        {"a header that does not begin with a brace",
         draft::llama,
         [](ModelFolder &f) { f.files["model.safetensors"] = draft::safetensorsImage(" {}     ", 0); },
         Code::weightsMalformed,
         {"model.safetensors", "'{'"}},
        {"a tensor twice in a header",
         draft::llama,
         [](ModelFolder &f) {
             f.files["model.safetensors"] =
                 draft::safetensorsImage(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                         R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                         2);
         },
         Code::weightsMalformed,
         {"model.safetensors", "\"a\"", "twice"}},
        {"a tensor without a shape",
         draft::llama,
         [](ModelFolder &f) {
             f.files["model.safetensors"] = draft::safetensorsImage(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1);
         },
         Code::weightsMalformed,
         {"model.safetensors", "shape"}},
        {"data cut short",
         draft::llama,
         [](ModelFolder &f) { f.files["model.safetensors"] = f.weights().substr(0, f.weights().size() - 1); },
         Code::weightsTruncated,
         {"model.safetensors", "mlp.down_proj.weight"}},
        {"data behind the last tensor",
         draft::llama,
         [](ModelFolder &f) { f.files["model.safetensors"] = f.weights() + "x"; },
         Code::weightsMalformed,
         {"model.safetensors", "1 bytes follow"}},
        {"overlapping tensors",
         draft::llama,
         [](ModelFolder &f) {
             f.files["model.safetensors"] =
                 draft::safetensorsImage(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                                         R"("b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                                         7);
         },
         Code::weightsOverlapping,
         {"model.safetensors", "\"a\"", "\"b\""}},
        {"a gap between tensors",
         draft::llama,
         [](ModelFolder &f) {
             f.files["model.safetensors"] =
                 draft::safetensorsImage(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                                         R"("b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}})",
                                         9);
         },
         Code::weightsMalformed,
         {"model.safetensors", "gap", "\"b\""}},
        {"a tensor that ends before it begins",
         draft::llama,
         [](ModelFolder &f) {
             f.files["model.safetensors"] =
                 draft::safetensorsImage(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[4,3]}})", 4);
         },
         Code::weightsMalformed,
         {"model.safetensors", "\"a\"", "before"}},
        {"an extent that is not the shape's",
         draft::llama,
         [](ModelFolder &f) { f.tensor(gate).shape = {24, 17}; },
         Code::weightsMalformed,
         {"model.safetensors", "gate_proj", "shape"}},
        {"a shape whose size overflows",
         draft::llama,
         [](ModelFolder &f) {
             // 2^32 * 2^32 elements would be 0 bytes in 64-bit arithmetic.
             f.files["model.safetensors"] = draft::safetensorsImage(
                 R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0);
         },
         Code::weightsMalformed,
         {"model.safetensors", "\"a\"", "shape"}},
        {"a tensor of too many dimensions",
         draft::llama,
         [](ModelFolder &f) { f.tensors.push_back({"deep", "U8", std::vector<uint64_t>(17, 1), "x"}); },
         Code::weightsMalformed,
         {"model.safetensors", "16 dimensions"}},
        {"a dtype that does not exist",
         draft::llama,
         [](ModelFolder &f) { f.tensor(key).type = "BF17"; },
         Code::weightsMalformed,
         {"model.safetensors", "k_proj", "BF17"}},
        {"quantised weights",
         draft::llama,
         [](ModelFolder &f) {
             f.tensor(key).type = "I8";
             f.tensor(key).bytes.resize(8 * 16);
         },
         Code::tensorType,
         {"model.safetensors", "k_proj", "I8", "BF16"}},
        {"a tensor that is not aligned",
         draft::llama,
         [](ModelFolder &f) { f.tensors.insert(f.tensors.begin(), {"extra", "U8", {1}, "x"}); },
         Code::weightsMalformed,
         {"model.safetensors", "embed_tokens", "aligned"}},
        {"a tensor missing",
         draft::llama,
         [](ModelFolder &f) { f.remove(gate); },
         Code::tensorMissing,
         {"model.layers.0.mlp.gate_proj.weight"}},
        {"a layer missing",
         draft::llama,
         [](ModelFolder &f) { set(f, "num_hidden_layers", "2"); },
         Code::tensorMissing,
         {"model.layers.1."}},
        {"no head, and not tied",
         draft::llama,
         [](ModelFolder &f) { f.remove("lm_head.weight"); },
         Code::tensorMissing,
         {"lm_head.weight"}},
        {"a bias missing",
         qwen2,
         [](ModelFolder &f) { f.remove("model.layers.0.self_attn.v_proj.bias"); },
         Code::tensorMissing,
         {"v_proj.bias"}},
        {"a q/k norm missing",
         qwen3,
         [](ModelFolder &f) { f.remove("model.layers.0.self_attn.k_norm.weight"); },
         Code::tensorMissing,
         {"k_norm.weight"}},
        {"a norm for each lane missing",
         draft::laneformer,
         [](ModelFolder &f) { set(f, "replicated_rmsn_scale", "false"); },
         Code::tensorMissing,
         {".scale"}},
        {"a vocabulary of another size",
         draft::llama,
         [](ModelFolder &f) { set(f, "vocab_size", "33"); },
         Code::tensorShape,
         {"model.safetensors", "embed_tokens", "[32, 16]", "[33, 16]"}},
        {"a matrix the wrong way round",
         draft::llama,
         [](ModelFolder &f) { f.tensor(gate).shape = {16, 24}; },
         Code::tensorShape,
         {"gate_proj", "[16, 24]", "[24, 16]"}},
        {"lanes that the weights do not have",
         draft::laneformer,
         [](ModelFolder &f) { set(f, "num_lanes", "1"); },
         Code::tensorShape,
         {"attention.wq.weight", "[2, 16, 32]", "[1, 32, 32]"}},
        {"a shard missing",
         sharded,
         [](ModelFolder &f) { f.removed.insert("part-1.safetensors"); },
         Code::fileMissing,
         {"part-1.safetensors"}},
        {"a shard cut short",
         sharded,
         [](ModelFolder &f) { f.files["part-2.safetensors"].pop_back(); },
         Code::weightsTruncated,
         {"part-2.safetensors"}},
        {"a shard outside the folder",
         sharded,
         [](ModelFolder &f) {
             replace(f, "model.safetensors.index.json", "part-0.safetensors", "../part-0.safetensors");
         },
         Code::weightsMalformed,
         {"index.json", "../part-0.safetensors"}},
        {"a shard that is the folder above",
         sharded,
         [](ModelFolder &f) { replace(f, "model.safetensors.index.json", "part-0.safetensors", ".."); },
         Code::weightsMalformed,
         {"index.json", "\"..\""}},
        {"a shard by absolute path",
         sharded,
         [](ModelFolder &f) { replace(f, "model.safetensors.index.json", "part-0.safetensors", "/etc/passwd"); },
         Code::weightsMalformed,
         {"index.json", "/etc/passwd"}},
        {"a shard with an embedded zero",
         sharded,
         [](ModelFolder &f) {
             replace(f, "model.safetensors.index.json", "part-0.safetensors", "part-0.safetensors\\u0000.x");
         },
         Code::weightsMalformed,
         {"index.json"}},
        {"a tensor that is not in the shard of the index",
         sharded,
         [](ModelFolder &f) { replace(f, "model.safetensors.index.json", "part-0.safetensors", "part-2.safetensors"); },
         Code::tensorMissing,
         {"index.json", "model.embed_tokens.weight", "part-2.safetensors"}},
        {"an index without a map",
         sharded,
         [](ModelFolder &f) { f.files["model.safetensors.index.json"] = "{\"metadata\": {}}"; },
         Code::weightsMalformed,
         {"index.json", "weight_map"}},
        {"an index that is no JSON",
         sharded,
         [](ModelFolder &f) { f.files["model.safetensors.index.json"].resize(90); },
         Code::weightsMalformed,
         {"index.json", "line"}},
        {"an index that does not name every tensor",
         sharded,
         [](ModelFolder &f) {
             replace(f, "model.safetensors.index.json", ", \"model.norm.weight\": \"part-0.safetensors\"", "");
         },
         Code::tensorMissing,
         {"model.norm.weight"}},
    };
    return all;
}

} // namespace

TEST(brokenWeights) { run(cases()); }

TEST(folderMissing) {
    const draft::TemporaryFolder folder;
    checkFails(folder.path() / "none", "no folder", Code::folderMissing, {"none"});
    draft::writeFile(folder.path() / "file", "x");
    checkFails(folder.path() / "file", "a file for a folder", Code::folderMissing, {"file"});
}

/// Anything but a regular file is refused without reading it; a named pipe would block for ever.
TEST(specialFilesAreRefused) {
    const draft::TemporaryFolder pipe;
    ModelFolder folder = draft::llama();
    folder.removed.insert("model.safetensors");
    folder.write(pipe.path());
    CHECK(::mkfifo((pipe.path() / "model.safetensors").c_str(), 0600) == 0);
    checkFails(pipe.path(), "a pipe for weights", Code::fileMissing, {"model.safetensors", "regular file"});

    const draft::TemporaryFolder directory;
    std::filesystem::create_directory(directory.path() / "config.json");
    checkFails(directory.path(), "a folder for config.json", Code::fileMissing, {"config.json", "regular file"});
}

TEST(errorNamesAreDistinct) {
    std::vector<std::string> names;
    for (int code = 0; code <= static_cast<int>(Code::memory); code++) {
        names.emplace_back(monokernel::modelErrorName(static_cast<Code>(code)));
    }
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
    CHECK(std::find(names.begin(), names.end(), "unknown") == names.end());
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
