#include "topology/calibration_file.h"

#include "model/json_value.h"
#include "model/quote.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace monokernel {

namespace {

constexpr int64_t version = 1;
constexpr uintmax_t largestFile = 4u << 20;
constexpr std::string_view homeDigits = "0123456789abcdef";

std::string jsonText(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            std::array<char, 8> escape{};
            std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
            out += escape.data();
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string jsonNumber(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.17g", value);
    return text.data();
}

std::string toJson(const Calibration &calibration) {
    const CalibrationKey &key = calibration.key;
    std::string pattern;
    for (const uint8_t home : calibration.map.pattern()) {
        pattern += homeDigits[home];
    }
    return "{\n  \"version\": " + std::to_string(version) + ",\n  \"target\": " + jsonText(key.target) +
           ",\n  \"device\": " + jsonText(key.device) + ",\n  \"driver\": " + jsonText(key.driver) +
           ",\n  \"computeUnits\": " + std::to_string(key.computeUnits) +
           ",\n  \"memoryBytes\": " + std::to_string(key.memoryBytes) +
           ",\n  \"homes\": " + std::to_string(calibration.map.homes()) + ",\n  \"pattern\": " + jsonText(pattern) +
           ",\n  \"confidence\": " + jsonNumber(calibration.confidence) +
           ",\n  \"localNanoseconds\": " + jsonNumber(calibration.localNanoseconds) +
           ",\n  \"remoteNanoseconds\": " + jsonNumber(calibration.remoteNanoseconds) +
           ",\n  \"pages\": " + std::to_string(calibration.pages) + ",\n  \"reason\": " + jsonText(calibration.reason) +
           "\n}\n";
}

/// The members of a calibration file; throws std::runtime_error naming the first one that is wrong.
class Members {
public:
    explicit Members(const JsonValue &value) : value_(value) {}

    const std::string &text(const char *name) const {
        const JsonValue &member = find(name);
        return member.string() != nullptr ? *member.string() : refuse<std::string>(name);
    }
    uint64_t count(const char *name) const {
        const int64_t *number = find(name).integer();
        return static_cast<uint64_t>(number != nullptr && *number >= 0 ? *number : refuse<int64_t>(name));
    }
    uint32_t smallCount(const char *name) const {
        const uint64_t value = count(name);
        return static_cast<uint32_t>(value <= UINT32_MAX ? value : refuse<uint64_t>(name));
    }
    double number(const char *name) const {
        const JsonValue &member = find(name);
        const int64_t *integer = member.integer();
        const auto *real = std::get_if<double>(&member.value);
        const double value = integer != nullptr ? static_cast<double>(*integer) : real != nullptr ? *real : -1.0;
        return value >= 0.0 ? value : refuse<double>(name);
    }

private:
    const JsonValue &find(const char *name) const {
        const JsonValue *member = value_.find(name);
        return member != nullptr ? *member : refuse<JsonValue>(name);
    }
    template <typename T> [[noreturn]] static const T &refuse(const char *name) {
        throw std::runtime_error(std::string("\"") + name + "\" is missing or not what it should be");
    }

    const JsonValue &value_;
};

PageMap readMap(const Members &members) {
    const std::string &digits = members.text("pattern");
    const uint32_t homes = members.smallCount("homes");
    if (digits.empty()) {
        return {};
    }
    std::vector<uint8_t> pattern;
    for (const char digit : digits) {
        pattern.push_back(static_cast<uint8_t>(homeDigits.find(digit))); // not found: 255, which PageMap refuses
    }
    return {homes, std::move(pattern)};
}

Calibration fromJson(const std::string &text) {
    const JsonValue value = parseJson(text);
    const Members members(value);
    if (members.count("version") != version) {
        throw std::runtime_error("it is of version " + std::to_string(members.count("version")) + ", not " +
                                 std::to_string(version));
    }
    return {.key = {members.text("target"), members.text("device"), members.text("driver"),
                    members.smallCount("computeUnits"), members.count("memoryBytes")},
            .map = readMap(members),
            .confidence = members.number("confidence"),
            .localNanoseconds = members.number("localNanoseconds"),
            .remoteNanoseconds = members.number("remoteNanoseconds"),
            .pages = members.smallCount("pages"),
            .reason = members.text("reason")};
}

/// FNV-1a, 64 bits.
uint64_t hash(std::string_view text) {
    uint64_t value = 14695981039346656037ull;
    for (const char c : text) {
        value = (value ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    }
    return value;
}

std::filesystem::path environmentPath(const char *name) {
    const char *value = std::getenv(name);
    return value != nullptr ? std::filesystem::path(value) : std::filesystem::path();
}

} // namespace

std::filesystem::path calibrationFolder() {
#ifdef _WIN32
    const std::filesystem::path base = environmentPath("LOCALAPPDATA");
#else
    std::filesystem::path base = environmentPath("XDG_CACHE_HOME");
    if (!base.is_absolute()) {
        const std::filesystem::path home = environmentPath("HOME");
        base = home.empty() ? home : home / ".cache";
    }
#endif
    return base.empty() ? base : base / "monokernel";
}

std::filesystem::path calibrationFile(const std::filesystem::path &folder, const CalibrationKey &key) {
    const std::string all = key.target + '\n' + key.device + '\n' + key.driver + '\n' +
                            std::to_string(key.computeUnits) + '\n' + std::to_string(key.memoryBytes);
    std::array<char, 17> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash(all)));
    return folder / ("topology-" + key.target + "-" + digits.data() + ".json");
}

std::optional<Calibration> readCalibration(const std::filesystem::path &folder, const CalibrationKey &key,
                                           std::string &message) {
    const std::filesystem::path file = calibrationFile(folder, key);
    std::error_code none;
    if (!std::filesystem::exists(file, none)) {
        return std::nullopt;
    }
    try {
        if (std::filesystem::file_size(file) > largestFile) {
            throw std::runtime_error("it is too large");
        }
        std::ifstream in(file, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        Calibration calibration = fromJson(text);
        if (calibration.key != key) {
            throw std::runtime_error("it is of another device or driver");
        }
        return calibration;
    } catch (const std::exception &error) {
        message += "the calibration " + file.string() + " is not used: " + error.what() + "; delete it\n";
        return std::nullopt;
    }
}

void writeCalibration(const std::filesystem::path &folder, const Calibration &calibration) {
    const std::filesystem::path file = calibrationFile(folder, calibration.key);
    std::filesystem::path fresh = file;
    fresh += ".new";
    try {
        std::filesystem::create_directories(folder);
        std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
        out << toJson(calibration);
        out.close();
        if (!out) {
            throw std::runtime_error("no space, or no right to write");
        }
        std::filesystem::rename(fresh, file);
    } catch (const std::exception &error) {
        std::error_code ignored;
        std::filesystem::remove(fresh, ignored);
        throw std::runtime_error("the calibration cannot be kept as " + file.string() + ": " + error.what());
    }
}

} // namespace monokernel
