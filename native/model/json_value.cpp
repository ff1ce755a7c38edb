#include "model/json_value.h"

#include "model/json_reader.h"

namespace monokernel {

namespace {

JsonValue readValue(JsonReader &reader) {
    switch (reader.peek()) {
    case JsonReader::Kind::null:
        reader.readNull();
        return {nullptr};
    case JsonReader::Kind::boolean:
        return {reader.readBoolean()};
    case JsonReader::Kind::number:
        return std::visit([](auto number) { return JsonValue{number}; }, reader.readNumber());
    case JsonReader::Kind::string:
        return {reader.readString()};
    case JsonReader::Kind::array: {
        JsonValue::Array items;
        reader.readArray([&] { items.push_back(readValue(reader)); });
        return {std::move(items)};
    }
    case JsonReader::Kind::object: {
        JsonValue::Object members;
        reader.readObject([&](const std::string &name) { members.push_back({name, readValue(reader)}); });
        return {std::move(members)};
    }
    }
    reader.fail("a value was expected");
}

} // namespace

const JsonValue *JsonValue::find(std::string_view name) const {
    if (const Object *const members = object()) {
        for (const JsonMember &member : *members) {
            if (member.name == name) {
                return &member.value;
            }
        }
    }
    return nullptr;
}

JsonValue parseJson(std::string_view text) {
    JsonReader reader(text);
    JsonValue value = readValue(reader);
    reader.readEnd();
    return value;
}

} // namespace monokernel
