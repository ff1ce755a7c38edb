#include "model/safetensors_file.h"

#include "model/json_reader.h"
#include "model/model_error.h"
#include "model/quote.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace monokernel {

namespace {

constexpr uint64_t lengthBytes = 8;
/// As in the reference implementation.
constexpr uint64_t largestHeader = 100'000'000;

struct ElementType {
    std::string_view name;
    uint32_t bits;
};

/// Every element type of the format, so that a file may hold tensors which no model of ours reads.
constexpr std::array elementTypes = {
    ElementType{"BOOL", 8},    ElementType{"F4", 4},   ElementType{"F6_E2M3", 6}, ElementType{"F6_E3M2", 6},
    ElementType{"U8", 8},      ElementType{"I8", 8},   ElementType{"F8_E5M2", 8}, ElementType{"F8_E4M3", 8},
    ElementType{"F8_E8M0", 8}, ElementType{"I16", 16}, ElementType{"U16", 16},    ElementType{"F16", 16},
    ElementType{"BF16", 16},   ElementType{"I32", 32}, ElementType{"U32", 32},    ElementType{"F32", 32},
    ElementType{"C64", 64},    ElementType{"F64", 64}, ElementType{"I64", 64},    ElementType{"U64", 64},
};

[[noreturn]] void malformed(const std::string &file, const std::string &what) {
    throw ModelError(ModelErrorCode::weightsMalformed, file + ": " + what + ". Download or convert the file again.");
}

[[noreturn]] void truncated(const std::string &file, const std::string &what) {
    throw ModelError(ModelErrorCode::weightsTruncated, file + " is cut short: " + what + ". Download it again.");
}

uint64_t littleEndian64(std::span<const std::byte> bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < lengthBytes; i++) {
        value |= static_cast<uint64_t>(bytes[i]) << (8 * i);
    }
    return value;
}

bool beginsWith(std::span<const std::byte> image, std::string_view text) {
    return image.size() >= text.size() && std::memcmp(image.data(), text.data(), text.size()) == 0;
}

/// Bytes of a tensor of that shape; nothing where they are not whole or do not fit 63 bits.
std::optional<uint64_t> extentBytes(const std::vector<uint64_t> &shape, uint32_t bits) {
    uint64_t product = bits;
    for (const uint64_t extent : shape) {
        if (__builtin_mul_overflow(product, extent, &product)) {
            return std::nullopt;
        }
    }
    return product % 8 == 0 ? std::optional(product / 8) : std::nullopt;
}

void addExtent(JsonReader &reader, std::vector<uint64_t> &shape) {
    constexpr size_t mostDimensions = 16;
    if (shape.size() == mostDimensions) {
        reader.fail("a tensor has more than 16 dimensions");
    }
    shape.push_back(reader.readSize());
}

SafetensorsEntry readEntry(JsonReader &reader) {
    SafetensorsEntry entry;
    std::vector<uint64_t> offsets;
    bool shaped = false;
    reader.readObject([&](const std::string &member) {
        if (member == "dtype") {
            entry.type = reader.readString();
        } else if (member == "shape") {
            reader.readArray([&] { addExtent(reader, entry.shape); });
            shaped = true;
        } else if (member == "data_offsets") {
            reader.readArray([&] { offsets.push_back(reader.readSize()); });
        } else {
            reader.fail("a tensor has the unknown member " + quote(member));
        }
    });
    if (entry.type.empty() || !shaped || offsets.size() != 2) {
        reader.fail("a tensor needs dtype, shape and two data_offsets");
    }
    entry.begin = offsets[0];
    entry.end = offsets[1];
    return entry;
}

void checkExtent(const std::string &file, const std::string &tensor, const SafetensorsEntry &entry) {
    const auto *const type = std::find_if(elementTypes.begin(), elementTypes.end(),
                                          [&](const ElementType &known) { return known.name == entry.type; });
    if (type == elementTypes.end()) {
        malformed(file, "tensor " + quote(tensor) + " has the unknown dtype " + quote(entry.type));
    }
    if (entry.begin > entry.end) {
        malformed(file, "tensor " + quote(tensor) + " ends before it begins");
    }
    const std::optional<uint64_t> bytes = extentBytes(entry.shape, type->bits);
    if (!bytes || *bytes != entry.end - entry.begin) {
        malformed(file, "tensor " + quote(tensor) + " has " + std::to_string(entry.end - entry.begin) +
                            " bytes by its data_offsets, which is not what its shape and dtype need");
    }
}

/// The tensors, in order of their place, must follow each other without overlap or gap and end where the data ends.
void checkCover(const std::string &file, const SafetensorsHeader &header, uint64_t dataBytes) {
    using Item = std::pair<const std::string, SafetensorsEntry>;
    std::vector<const Item *> items;
    items.reserve(header.tensors.size());
    for (const Item &item : header.tensors) {
        items.push_back(&item);
    }
    std::sort(items.begin(), items.end(), [](const Item *a, const Item *b) {
        return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
    });
    uint64_t covered = 0;
    const Item *last = nullptr;
    for (const Item *const item : items) {
        const SafetensorsEntry &entry = item->second;
        if (entry.begin < covered) {
            throw ModelError(ModelErrorCode::weightsOverlapping, file + ": tensors " + quote(last->first) + " and " +
                                                                     quote(item->first) +
                                                                     " overlap. Download or convert the file again.");
        }
        if (entry.begin > covered) {
            malformed(file, "there is a gap before tensor " + quote(item->first));
        }
        if (entry.end > dataBytes) {
            truncated(file, "tensor " + quote(item->first) + " needs " + std::to_string(entry.end) +
                                " bytes of data and there are " + std::to_string(dataBytes));
        }
        covered = entry.end;
        last = item;
    }
    if (covered != dataBytes) {
        malformed(file, std::to_string(dataBytes - covered) + " bytes follow the last tensor");
    }
}

std::string_view headerText(std::span<const std::byte> image, const std::string &name) {
    if (beginsWith(image, "version https://git-lfs")) {
        malformed(name, "this is a Git LFS pointer, not the weights (run `git lfs pull`)");
    }
    if (image.size() < lengthBytes) {
        truncated(name, "it has " + std::to_string(image.size()) + " bytes, fewer than its length field");
    }
    const uint64_t length = littleEndian64(image);
    if (length < 2 || length > largestHeader) {
        malformed(name, "its header length " + std::to_string(length) + " is impossible: not a safetensors file");
    }
    if (length > image.size() - lengthBytes) {
        truncated(name, "its header needs " + std::to_string(length) + " bytes");
    }
    return {reinterpret_cast<const char *>(image.data()) + lengthBytes, length};
}

} // namespace

SafetensorsHeader SafetensorsHeader::read(std::span<const std::byte> image, const std::string &name) {
    const std::string_view text = headerText(image, name);
    if (text.front() != '{') {
        malformed(name, "its header does not begin with '{': not a safetensors file");
    }
    SafetensorsHeader header;
    header.dataBegin = lengthBytes + text.size();
    try {
        JsonReader reader(text);
        reader.readObject([&](const std::string &tensor) {
            if (tensor == "__metadata__") {
                reader.skip();
            } else {
                header.tensors.emplace(tensor, readEntry(reader));
            }
        });
        reader.readEnd();
    } catch (const JsonError &error) {
        malformed(name, std::string("its header is not valid: ") + error.what());
    }
    for (const auto &[tensor, entry] : header.tensors) {
        checkExtent(name, tensor, entry);
    }
    checkCover(name, header, image.size() - header.dataBegin);
    return header;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path &path)
    : name_(path.string()), file_(path), header_(SafetensorsHeader::read(file_.bytes(), name_)) {}

const SafetensorsEntry *SafetensorsFile::find(std::string_view tensor) const {
    const auto found = header_.tensors.find(tensor);
    return found == header_.tensors.end() ? nullptr : &found->second;
}

std::span<const std::byte> SafetensorsFile::bytes(const SafetensorsEntry &entry) const {
    return file_.bytes().subspan(header_.dataBegin + entry.begin, entry.end - entry.begin);
}

} // namespace monokernel
