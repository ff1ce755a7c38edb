#include "model/tokenizer_vocabulary.h"

#include "model/json_reader.h"
#include "model/mapped_file.h"
#include "model/model_error.h"
#include "model/quote.h"

#include <optional>
#include <string>

namespace monokernel {

namespace {

constexpr size_t largestTokenizer = 256 << 20;

struct HighestToken {
    uint64_t id = 0;
    std::string text;
    bool any = false;

    void add(uint64_t other, const std::string &otherText) {
        if (!any || other > id) {
            id = other;
            text = otherText;
            any = true;
        }
    }
};

/// `model.vocab`: an object of token -> id (BPE, WordPiece, WordLevel) or an array in order of ids (Unigram).
void readVocabulary(JsonReader &reader, HighestToken &highest) {
    if (reader.peek() == JsonReader::Kind::array) {
        uint64_t next = 0;
        reader.readArray([&] {
            reader.skip();
            highest.add(next++, "of the unigram vocabulary");
        });
    } else {
        reader.readObject([&](const std::string &token) { highest.add(reader.readSize(), token); });
    }
}

void readAddedToken(JsonReader &reader, HighestToken &highest) {
    std::optional<uint64_t> id;
    std::string content;
    reader.readObject([&](const std::string &member) {
        if (member == "id") {
            id = reader.readSize();
        } else if (member == "content") {
            content = reader.readString();
        } else {
            reader.skip();
        }
    });
    if (!id) {
        reader.fail("an added token has no id");
    }
    highest.add(*id, content);
}

HighestToken readHighestToken(JsonReader &reader) {
    HighestToken highest;
    reader.readObject([&](const std::string &member) {
        if (member == "added_tokens" && reader.peek() == JsonReader::Kind::array) {
            reader.readArray([&] { readAddedToken(reader, highest); });
        } else if (member == "model" && reader.peek() == JsonReader::Kind::object) {
            reader.readObject([&](const std::string &part) {
                if (part == "vocab") {
                    readVocabulary(reader, highest);
                } else {
                    reader.skip();
                }
            });
        } else {
            reader.skip();
        }
    });
    reader.readEnd();
    return highest;
}

} // namespace

void checkTokenizerVocabulary(const std::filesystem::path &folder, const ModelSpec &spec) {
    const std::filesystem::path path = folder / "tokenizer.json";
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
        return;
    }
    const std::string text = readTextFile(path, largestTokenizer);
    HighestToken highest;
    try {
        JsonReader reader(text);
        highest = readHighestToken(reader);
    } catch (const JsonError &error) {
        throw ModelError(ModelErrorCode::configMalformed,
                         path.string() + " is not a valid tokenizer: " + error.what() + ". Download it again.");
    }
    if (highest.any && highest.id >= spec.vocabularySize) {
        throw ModelError(ModelErrorCode::vocabularyMismatch,
                         path.string() + " has token " + std::to_string(highest.id) + " (" + quote(highest.text) +
                             "), but the model's vocabulary (vocab_size in config.json) has " +
                             std::to_string(spec.vocabularySize) +
                             " tokens. The tokenizer belongs to another model; download both from one place.");
    }
}

} // namespace monokernel
