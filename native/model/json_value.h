#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace monokernel {

struct JsonMember;

/// A JSON value as a tree, for small documents.
struct JsonValue {
    using Array = std::vector<JsonValue>;
    using Object = std::vector<JsonMember>;
    std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object> value;

    bool isNull() const { return std::holds_alternative<std::nullptr_t>(value); }
    const Object *object() const { return std::get_if<Object>(&value); }
    const Array *array() const { return std::get_if<Array>(&value); }
    const std::string *string() const { return std::get_if<std::string>(&value); }
    const int64_t *integer() const { return std::get_if<int64_t>(&value); }
    const bool *boolean() const { return std::get_if<bool>(&value); }
    /// The member `name` of an object; nullptr where there is none.
    const JsonValue *find(std::string_view name) const;
};

struct JsonMember {
    std::string name;
    JsonValue value;
};

/// Reads a whole document, as strictly as JsonReader. Throws JsonError.
JsonValue parseJson(std::string_view text);

} // namespace monokernel
