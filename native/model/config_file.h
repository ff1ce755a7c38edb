#pragma once

#include "model/json_value.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace monokernel {

/// Typed, range-checked access to one JSON object of a configuration file. A member that is null counts as absent.
/// Every error is a ModelError that names the file and the member.
class ConfigObject {
public:
    /// `object` must be a JSON object and outlive this; `name` stands before the members in messages.
    ConfigObject(const JsonValue &object, std::string name) : object_(&object), name_(std::move(name)) {}

    /// How messages name this object: the file's path, and the member that holds it.
    const std::string &name() const { return name_; }
    bool has(const char *member) const { return find(member) != nullptr; }
    /// The member's value; nullptr where it is absent or null.
    const JsonValue *find(const char *member) const;
    ConfigObject object(const char *member) const;

    int64_t integer(const char *member, int64_t least, int64_t most) const;
    int64_t integer(const char *member, int64_t least, int64_t most, int64_t absent) const;
    uint32_t count(const char *member, uint32_t least, uint32_t most) const;
    uint32_t count(const char *member, uint32_t least, uint32_t most, uint32_t absent) const;
    double number(const char *member, double least, double most) const;
    double number(const char *member, double least, double most, double absent) const;
    bool boolean(const char *member) const;
    bool boolean(const char *member, bool absent) const;
    std::string text(const char *member) const;
    std::string text(const char *member, const char *absent) const;

    /// ModelError configMalformed: "<name>: <member> <what>".
    [[noreturn]] void malformed(const char *member, const std::string &what) const;
    /// ModelError configUnsupported.
    [[noreturn]] void unsupported(const char *member, const std::string &what) const;

private:
    const JsonValue &require(const char *member) const;

    const JsonValue *object_;
    std::string name_;
};

/// A parsed configuration file: a JSON object of at most 16 MB.
class ConfigFile {
public:
    /// Throws ModelError fileMissing or configMalformed.
    explicit ConfigFile(const std::filesystem::path &path);
    ConfigObject root() const { return {document_, name_}; }

private:
    std::string name_;
    JsonValue document_;
};

} // namespace monokernel
