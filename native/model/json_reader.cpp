#include "model/json_reader.h"

#include "model/utf8.h"

#include <charconv>

namespace monokernel {

namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// A character that stands for itself in a string and is one byte long.
bool isPlain(char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

} // namespace

void JsonReader::fail(const std::string &what) const {
    size_t line = 1;
    size_t column = 1;
    for (const char c : text_.substr(0, at_)) {
        column = c == '\n' ? 1 : column + 1;
        line += c == '\n' ? 1 : 0;
    }
    throw JsonError("line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what);
}

void JsonReader::skipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
        at_++;
    }
}

bool JsonReader::accept(char c) {
    if (at_ < text_.size() && text_[at_] == c) {
        at_++;
        return true;
    }
    return false;
}

void JsonReader::expect(char c, const char *where) {
    if (!accept(c)) {
        fail(std::string(where) + " was expected" + (at_ == text_.size() ? ", but the text ends here" : ""));
    }
}

void JsonReader::enter() {
    if (++depth_ > maxDepth) {
        fail("more than " + std::to_string(maxDepth) + " nested values");
    }
}

JsonReader::Kind JsonReader::peek() {
    skipSpace();
    if (at_ == text_.size()) {
        fail("a value was expected, but the text ends here");
    }
    switch (text_[at_]) {
    case 'n':
        return Kind::null;
    case 't':
    case 'f':
        return Kind::boolean;
    case '"':
        return Kind::string;
    case '[':
        return Kind::array;
    case '{':
        return Kind::object;
    default:
        if (text_[at_] == '-' || isDigit(text_[at_])) {
            return Kind::number;
        }
        fail("a value was expected");
    }
}

void JsonReader::readLiteral(std::string_view literal) {
    if (text_.substr(at_, literal.size()) != literal) {
        fail(quote(literal) + " was expected");
    }
    at_ += literal.size();
}

void JsonReader::readNull() {
    skipSpace();
    readLiteral("null");
}

bool JsonReader::readBoolean() {
    skipSpace();
    const bool value = at_ < text_.size() && text_[at_] == 't';
    readLiteral(value ? "true" : "false");
    return value;
}

void JsonReader::readDigits() {
    if (at_ == text_.size() || !isDigit(text_[at_])) {
        fail("a digit was expected");
    }
    while (at_ < text_.size() && isDigit(text_[at_])) {
        at_++;
    }
}

JsonNumber JsonReader::readNumber() {
    skipSpace();
    const size_t begin = at_;
    bool integer = true;
    accept('-');
    if (!accept('0')) {
        readDigits();
    }
    if (accept('.')) {
        integer = false;
        readDigits();
    }
    if (accept('e') || accept('E')) {
        integer = false;
        if (!accept('+')) {
            accept('-');
        }
        readDigits();
    }
    const char *const first = text_.data() + begin;
    const char *const last = text_.data() + at_;
    if (integer) {
        int64_t value = 0;
        if (std::from_chars(first, last, value).ec != std::errc{}) {
            fail("an integer does not fit 64 bits");
        }
        return value;
    }
    double value = 0.0;
    if (std::from_chars(first, last, value).ec != std::errc{}) {
        fail("a number is out of range");
    }
    return value;
}

uint64_t JsonReader::readSize() {
    if (peek() != Kind::number) {
        fail("an integer was expected");
    }
    const JsonNumber number = readNumber();
    const int64_t *const value = std::get_if<int64_t>(&number);
    if (value == nullptr || *value < 0) {
        fail("an integer that is not negative was expected");
    }
    return static_cast<uint64_t>(*value);
}

uint32_t JsonReader::readHex4() {
    uint32_t value = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || digits.size() != 4 || end != digits.data() + 4) {
        fail("four hexadecimal digits were expected after \\u");
    }
    at_ += 4;
    return value;
}

void JsonReader::readEscape(std::string &out) {
    static constexpr std::string_view names = "\"\\/bfnrt";
    static constexpr std::string_view values = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) {
        fail("a string does not end");
    }
    const char c = text_[at_++];
    if (const size_t index = names.find(c); index != std::string_view::npos) {
        out += values[index];
        return;
    }
    if (c != 'u') {
        fail("an unknown escape in a string");
    }
    uint32_t point = readHex4();
    if (point >= 0xD800 && point < 0xDC00 && accept('\\') && accept('u')) {
        const uint32_t low = readHex4();
        if (low < 0xDC00 || low > 0xDFFF) {
            fail("a lone surrogate in a string");
        }
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (point >= 0xD800 && point <= 0xDFFF) {
        fail("a lone surrogate in a string");
    }
    appendUtf8(out, point);
}

void JsonReader::readUtf8(std::string &out) {
    const size_t length = utf8Length(text_.substr(at_, 4));
    if (length == 0) {
        fail("a string is not valid UTF-8");
    }
    out += text_.substr(at_, length);
    at_ += length;
}

std::string JsonReader::readString() {
    skipSpace();
    expect('"', "a string");
    std::string out;
    for (;;) {
        const size_t begin = at_;
        while (at_ < text_.size() && isPlain(text_[at_])) {
            at_++;
        }
        out += text_.substr(begin, at_ - begin);
        if (at_ == text_.size() || text_[at_] == '"') {
            break;
        }
        if (static_cast<uint8_t>(text_[at_]) < 0x20) {
            fail("a control character in a string");
        }
        if (accept('\\')) {
            readEscape(out);
        } else {
            readUtf8(out);
        }
    }
    expect('"', "the end of a string");
    return out;
}

void JsonReader::skip() {
    switch (peek()) {
    case Kind::null:
        return readNull();
    case Kind::boolean:
        readBoolean();
        return;
    case Kind::number:
        readNumber();
        return;
    case Kind::string:
        readString();
        return;
    case Kind::array:
        return readArray([this] { skip(); });
    case Kind::object:
        return readObject([this](const std::string &) { skip(); });
    }
}

void JsonReader::readEnd() {
    skipSpace();
    if (at_ != text_.size()) {
        fail("something follows the end of the value");
    }
}

} // namespace monokernel
