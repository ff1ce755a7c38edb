#include "check.h"
#include "synthetic_maps.h"
#include "topology/calibration_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace monokernel;

namespace {

const CalibrationKey key{"gfx942", "AMD \"Instinct\"\tMI300X \\ OAM", "6.4.43482", 304, 206141652992ull};

Calibration sample() {
    return {.key = key,
            .map = PageMap(4, synthetic::fourHomes(1)),
            .confidence = 0.998,
            .localNanoseconds = 641.5,
            .remoteNanoseconds = 1152,
            .pages = 7168,
            .reason = "homes repeat every 1792 pages"};
}

/// A folder of its own that goes away with it.
struct Folder {
    std::filesystem::path path;

    Folder() : path(std::filesystem::temp_directory_path() / "monokernel-topology-XXXXXX") {
        std::string name = path.string();
        path = mkdtemp(name.data());
    }
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
};

std::string contents(const std::filesystem::path &file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

TEST(aCalibrationIsReadBackAsItWasKept) {
    const Folder folder;
    const std::filesystem::path below = folder.path / "new" / "below";
    const Calibration kept = sample();
    writeCalibration(below, kept);
    std::string message;
    const auto read = readCalibration(below, key, message);
    CHECK(read.has_value() && message.empty());
    if (read) {
        CHECK(read->key == key && read->map.pattern() == kept.map.pattern() && read->map.homes() == 4);
        CHECK(read->confidence == kept.confidence && read->localNanoseconds == kept.localNanoseconds &&
              read->remoteNanoseconds == kept.remoteNanoseconds && read->pages == kept.pages &&
              read->reason == kept.reason);
    }
    CHECK(std::distance(std::filesystem::directory_iterator(below), std::filesystem::directory_iterator()) == 1);
    Calibration none = kept;
    none.map = PageMap();
    none.confidence = 0;
    writeCalibration(below, none);
    const auto second = readCalibration(below, key, message);
    CHECK(second.has_value() && second->map.isIdentity() && second->confidence == 0.0);
}

TEST(anotherDeviceOrDriverHasNoCalibration) {
    const Folder folder;
    writeCalibration(folder.path, sample());
    std::string message;
    CalibrationKey other = key;
    other.driver = "6.4.43483";
    CHECK(!readCalibration(folder.path, other, message) && message.empty());
    std::filesystem::copy_file(calibrationFile(folder.path, key), calibrationFile(folder.path, other));
    CHECK(!readCalibration(folder.path, other, message));
    CHECK(message.find("another device or driver") != std::string::npos);
}

TEST(aBrokenCalibrationIsIgnoredWithAMessage) {
    const Folder folder;
    writeCalibration(folder.path, sample());
    const std::filesystem::path file = calibrationFile(folder.path, key);
    const std::string good = contents(file);
    const auto broken = [&](const std::string &text) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
        std::string message;
        const bool ignored = !readCalibration(folder.path, key, message);
        return ignored && message.find(file.string()) != std::string::npos && message.ends_with("; delete it\n");
    };
    const auto with = [&](const std::string &from, const std::string &to) {
        std::string text = good;
        const size_t at = text.find(from);
        return CHECK(at != std::string::npos) ? text.replace(at, from.size(), to) : text;
    };
    for (size_t length = 0; length + 2 < good.size(); length += 17) {
        CHECK(broken(good.substr(0, length)));
    }
    CHECK(broken(with("\"version\": 1", "\"version\": 2")));
    CHECK(broken(with("\"homes\": 4", "\"homes\": 3")));
    CHECK(broken(with("\"homes\": 4", "\"homes\": 4294967300")));
    CHECK(broken(with("\"pattern\": \"", "\"pattern\": \"z")));
    CHECK(broken(with("\"confidence\": 0.998", "\"confidence\": -1")));
    CHECK(broken(with("\"confidence\"", "\"confidenc\"")));
    CHECK(broken(with("\"pages\": 7168", "\"pages\": \"many\"")));
    CHECK(broken(good + "x"));
    CHECK(!broken(good));
}

TEST(aFolderThatCannotBeWrittenIsNamed) {
    const Folder folder;
    std::ofstream(folder.path / "file") << "x";
    std::string said;
    try {
        writeCalibration(folder.path / "file" / "below", sample());
    } catch (const std::runtime_error &error) {
        said = error.what();
    }
    CHECK_MESSAGE(said.find("cannot be kept") != std::string::npos, said);
}

TEST(theFolderFollowsTheEnvironment) {
    setenv("XDG_CACHE_HOME", "/somewhere", 1);
    CHECK(calibrationFolder() == "/somewhere/monokernel");
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/home/somebody", 1);
    CHECK(calibrationFolder() == "/home/somebody/.cache/monokernel");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    CHECK(calibrationFolder().empty());
}
