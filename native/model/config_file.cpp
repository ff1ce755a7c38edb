#include "model/config_file.h"

#include "model/json_reader.h"
#include "model/mapped_file.h"
#include "model/model_error.h"

#include <limits>
#include <sstream>

namespace monokernel {

namespace {

std::string range(const std::string &least, const std::string &most) { return "from " + least + " to " + most; }

std::string shown(double number) {
    std::ostringstream out;
    out << number;
    return out.str();
}

} // namespace

void ConfigObject::malformed(const char *member, const std::string &what) const {
    throw ModelError(ModelErrorCode::configMalformed, name_ + ": " + member + " " + what + ".");
}

void ConfigObject::unsupported(const char *member, const std::string &what) const {
    throw ModelError(ModelErrorCode::configUnsupported, name_ + ": " + member + " " + what + ".");
}

const JsonValue *ConfigObject::find(const char *member) const {
    const JsonValue *const value = object_->find(member);
    return value != nullptr && !value->isNull() ? value : nullptr;
}

const JsonValue &ConfigObject::require(const char *member) const {
    const JsonValue *const value = find(member);
    if (value == nullptr) {
        malformed(member, "is missing. Download the file again, or choose another model");
    }
    return *value;
}

ConfigObject ConfigObject::object(const char *member) const {
    const JsonValue &value = require(member);
    if (value.object() == nullptr) {
        malformed(member, "must be an object");
    }
    return {value, name_ + ": " + member};
}

int64_t ConfigObject::integer(const char *member, int64_t least, int64_t most) const {
    const int64_t *const value = require(member).integer();
    if (value == nullptr || *value < least || *value > most) {
        malformed(member, "must be an integer " + range(std::to_string(least), std::to_string(most)) +
                              (value != nullptr ? ", it is " + std::to_string(*value) : ""));
    }
    return *value;
}

int64_t ConfigObject::integer(const char *member, int64_t least, int64_t most, int64_t absent) const {
    return has(member) ? integer(member, least, most) : absent;
}

uint32_t ConfigObject::count(const char *member, uint32_t least, uint32_t most) const {
    return static_cast<uint32_t>(integer(member, least, most));
}

uint32_t ConfigObject::count(const char *member, uint32_t least, uint32_t most, uint32_t absent) const {
    return has(member) ? count(member, least, most) : absent;
}

double ConfigObject::number(const char *member, double least, double most) const {
    const JsonValue &value = require(member);
    double number = std::numeric_limits<double>::quiet_NaN();
    if (const int64_t *const integer = value.integer()) {
        number = static_cast<double>(*integer);
    } else if (const double *const real = std::get_if<double>(&value.value)) {
        number = *real;
    }
    if (!(number >= least && number <= most)) {
        malformed(member, "must be a number " + range(shown(least), shown(most)));
    }
    return number;
}

double ConfigObject::number(const char *member, double least, double most, double absent) const {
    return has(member) ? number(member, least, most) : absent;
}

bool ConfigObject::boolean(const char *member) const {
    const bool *const value = require(member).boolean();
    if (value == nullptr) {
        malformed(member, "must be true or false");
    }
    return *value;
}

bool ConfigObject::boolean(const char *member, bool absent) const { return has(member) ? boolean(member) : absent; }

std::string ConfigObject::text(const char *member) const {
    const std::string *const value = require(member).string();
    if (value == nullptr) {
        malformed(member, "must be a string");
    }
    return *value;
}

std::string ConfigObject::text(const char *member, const char *absent) const {
    return has(member) ? text(member) : absent;
}

ConfigFile::ConfigFile(const std::filesystem::path &path) : name_(path.string()) {
    constexpr size_t limit = 16 << 20;
    try {
        document_ = parseJson(readTextFile(path, limit));
    } catch (const JsonError &error) {
        throw ModelError(ModelErrorCode::configMalformed,
                         name_ + " is not valid JSON: " + error.what() + ". Repair it or download it again.");
    }
    if (document_.object() == nullptr) {
        throw ModelError(ModelErrorCode::configMalformed, name_ + " must hold a JSON object.");
    }
}

} // namespace monokernel
