// A libFuzzer target over all readers: the first byte chooses one. Built by clang with -DMONOKERNEL_FUZZ=ON; not a
// test.

#include "fuzz_targets.h"
#include "model_draft.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const draft::TemporaryFolder *const folder = [] {
        static const draft::TemporaryFolder made;
        draft::llama().write(made.path());
        return &made;
    }();
    if (size == 0) {
        return 0;
    }
    const std::string_view input(reinterpret_cast<const char *>(data) + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        fuzz::json(input);
        break;
    case 1:
        fuzz::safetensors(input);
        break;
    case 2:
        fuzz::shardIndex(input);
        break;
    case 3:
        fuzz::configuration(folder->path(), input);
        break;
    default:
        fuzz::tokenizer(folder->path(), input);
    }
    return 0;
}
