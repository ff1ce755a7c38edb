#pragma once

#include "model/quote.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>

namespace monokernel {

/// Text that is not JSON, or beyond this reader's bounds; the message gives line and column.
class JsonError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An integer literal is kept exactly; any other number is a double.
using JsonNumber = std::variant<int64_t, double>;

/// Reads JSON (RFC 8259) from front to back without building a tree. Strict: valid UTF-8, no lone surrogates, no
/// duplicate names in an object, integer literals within 64 bits, finite numbers, at most `maxDepth` nested values.
/// Every method throws JsonError when the next value is not what it reads.
class JsonReader {
public:
    enum class Kind : uint8_t { null, boolean, number, string, array, object };
    static constexpr uint32_t maxDepth = 64;

    /// `text` must outlive the reader.
    explicit JsonReader(std::string_view text) : text_(text) {}

    Kind peek();
    void readNull();
    bool readBoolean();
    JsonNumber readNumber();
    /// An integer literal that is not negative.
    uint64_t readSize();
    std::string readString();
    /// Calls `onMember(name)` for each member; it must read or skip the value.
    template <typename OnMember> void readObject(OnMember &&onMember);
    /// Calls `onItem()` for each item; it must read or skip the value.
    template <typename OnItem> void readArray(OnItem &&onItem);
    /// Reads and drops any value, checked like the others.
    void skip();
    /// Only white space may follow.
    void readEnd();
    [[noreturn]] void fail(const std::string &what) const;

private:
    void skipSpace();
    bool accept(char c);
    void expect(char c, const char *where);
    void readLiteral(std::string_view literal);
    void enter();
    void leave() { depth_--; }
    void readEscape(std::string &out);
    uint32_t readHex4();
    void readUtf8(std::string &out);
    void readDigits();

    std::string_view text_;
    size_t at_ = 0;
    uint32_t depth_ = 0;
};

template <typename OnMember> void JsonReader::readObject(OnMember &&onMember) {
    skipSpace();
    expect('{', "an object");
    enter();
    skipSpace();
    if (!accept('}')) {
        std::unordered_set<std::string> names;
        do {
            skipSpace();
            const auto [name, fresh] = names.insert(readString());
            if (!fresh) {
                fail("the name " + quote(*name) + " stands twice in one object");
            }
            skipSpace();
            expect(':', "':' after a name");
            onMember(*name);
            skipSpace();
        } while (accept(','));
        expect('}', "',' or '}'");
    }
    leave();
}

template <typename OnItem> void JsonReader::readArray(OnItem &&onItem) {
    skipSpace();
    expect('[', "an array");
    enter();
    skipSpace();
    if (!accept(']')) {
        do {
            onItem();
            skipSpace();
        } while (accept(','));
        expect(']', "',' or ']'");
    }
    leave();
}

} // namespace monokernel
