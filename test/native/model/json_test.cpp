#include "check.h"
#include "model/json_reader.h"
#include "model/json_value.h"

using namespace monokernel;

namespace {

void checkRefused(std::string_view text, const std::string &said) {
    try {
        parseJson(text);
        CHECK_MESSAGE(false, "was read: " + std::string(text));
    } catch (const JsonError &error) {
        const std::string message = error.what();
        CHECK_MESSAGE(message.find(said) != std::string::npos, std::string(text) + " gave " + message);
    }
}

std::string inQuotes(const char *bytes) {
    std::string text = "\"";
    text += bytes;
    text += '"';
    return text;
}

std::string nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

} // namespace

TEST(values) {
    const JsonValue root = parseJson(" {\"a\" : [1, -2.5e1, true, false, null, \"x\"],\r\n\t\"b\":{}, \"\": []} ");
    const JsonValue::Array &items = *root.find("a")->array();
    CHECK(items.size() == 6);
    CHECK(*items[0].integer() == 1);
    CHECK(std::get<double>(items[1].value) == -25.0);
    CHECK(*items[2].boolean() && !*items[3].boolean());
    CHECK(items[4].isNull());
    CHECK(*items[5].string() == "x");
    CHECK(root.find("b")->object()->empty());
    CHECK(root.find("")->array()->empty());
    CHECK(root.find("c") == nullptr);
}

TEST(integersAreExact) {
    CHECK(*parseJson("9223372036854775807").integer() == INT64_MAX);
    CHECK(*parseJson("-9223372036854775808").integer() == INT64_MIN);
    CHECK(*parseJson("9007199254740993").integer() == 9007199254740993); // 2^53 + 1, not a double
    CHECK(parseJson("1.0").integer() == nullptr);
    CHECK(parseJson("1e3").integer() == nullptr);
    checkRefused("9223372036854775808", "64 bits");
    checkRefused("1e999", "out of range");
}

TEST(numbersFollowTheGrammar) {
    for (const char *const text :
         {"-", "01", "1.", ".5", "1e", "1e+", "+1", "0x10", "NaN", "Infinity", "--1", "1.e5"}) {
        checkRefused(text, "line 1");
    }
}

TEST(stringsAndEscapes) {
    CHECK(*parseJson(R"("\"\\\/\b\f\n\r\t")").string() == "\"\\/\b\f\n\r\t");
    CHECK(*parseJson(R"("\u0041\u00e9\u20AC\ud83d\ude00")").string() == "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    CHECK(*parseJson("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"").string() == "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    CHECK(parseJson(R"("a\u0000b")").string()->size() == 3);
    checkRefused("\"a\nb\"", "control character");
    checkRefused("\"abc", "end of a string");
    checkRefused("\"abc\\", "does not end");
    checkRefused(R"("\x41")", "escape");
    checkRefused(R"("\u12")", "hexadecimal");
    checkRefused(R"("\u+123")", "hexadecimal");
    checkRefused(R"("\ud800")", "surrogate");
    checkRefused(R"("\ud800\u0041")", "surrogate");
    checkRefused(R"("\udc00")", "surrogate");
}

/// Each malformed kind of sequence: lone continuation, overlong forms, surrogate, beyond U+10FFFF, cut short.
TEST(malformedUtf8IsRefused) {
    for (const char *const bytes :
         {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
          "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98"}) {
        checkRefused(inQuotes(bytes), "UTF-8");
    }
    // The limits of what is well formed.
    for (const char *const bytes : {"\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
        CHECK(*parseJson(inQuotes(bytes)).string() == bytes);
    }
}

TEST(structure) {
    for (const char *const text :
         {"", " ", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "[1,]", "[1 2]", "{a:1}",
          "{\"a\" 1}", "[1}", "tru", "nul", "truex", "1 1", "\xEF\xBB\xBF{}"}) {
        checkRefused(text, "line 1");
    }
    checkRefused("{\"a\":1,\n \"b\":2,\n \"a\":3}", "line 3");
    checkRefused("{\"a\":{\"b\":1,\"b\":2}}", "twice");
    checkRefused("{\"a\":1,\"\\u0061\":2}", "twice");
}

TEST(depthIsBounded) {
    parseJson(nested(JsonReader::maxDepth));
    checkRefused(nested(JsonReader::maxDepth + 1), "nested");
    checkRefused(nested(1000000), "nested");
}

/// Skipping checks as strictly as reading.
TEST(skipping) {
    JsonReader reader(R"({"skipped": [1, {"x": [null, "\u00e9", -1e5]}], "size": 7})");
    uint64_t size = 0;
    reader.readObject([&](const std::string &name) {
        if (name == "size") {
            size = reader.readSize();
        } else {
            reader.skip();
        }
    });
    reader.readEnd();
    CHECK(size == 7);
    for (const char *const text : {"{\"a\":1,\"a\":1}", "[01]", "[\"\x80\"]", "[1,]"}) {
        JsonReader bad(text);
        bool refused = false;
        try {
            bad.skip();
        } catch (const JsonError &) {
            refused = true;
        }
        CHECK_MESSAGE(refused, text);
    }
}

TEST(sizesAreNotNegative) {
    for (const char *const text : {"-1", "1.5", "\"1\"", "null"}) {
        JsonReader reader(text);
        bool refused = false;
        try {
            reader.readSize();
        } catch (const JsonError &) {
            refused = true;
        }
        CHECK_MESSAGE(refused, text);
    }
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
