#include "broken.h"

#include "check.h"
#include "model/model.h"

#include <stdexcept>

namespace broken {

using monokernel::Model;
using monokernel::ModelError;
using monokernel::modelErrorName;

void run(const std::vector<Case> &cases) {
    for (const Case &each : cases) {
        ModelFolder folder = each.good();
        const draft::TemporaryFolder good;
        folder.write(good.path());
        try {
            Model::open(good.path());
        } catch (const ModelError &error) {
            CHECK_MESSAGE(false, std::string("before spoiling: ") + each.what + ": " + error.what());
        }
        each.spoil(folder);
        const draft::TemporaryFolder bad;
        folder.write(bad.path());
        checkFails(bad.path(), each.what, each.code, each.said);
    }
}

void checkFails(const std::filesystem::path &folder, const std::string &what, Code code,
                const std::vector<std::string> &said) {
    try {
        Model::open(folder);
        CHECK_MESSAGE(false, what + " was opened");
    } catch (const ModelError &error) {
        const std::string message = error.what();
        CHECK_MESSAGE(error.code() == code, what + " gave " + modelErrorName(error.code()) + ": " + message);
        for (const std::string &part : said) {
            CHECK_MESSAGE(message.find(part) != std::string::npos, what + " does not say " + part + ": " + message);
        }
    }
}

void set(ModelFolder &folder, const char *member, const char *value) { folder.config[member] = value; }

void replace(ModelFolder &folder, const std::string &file, const std::string &from, const std::string &to) {
    std::string bytes = file == "config.json" ? folder.configText() : folder.files.at(file);
    const size_t at = bytes.find(from);
    if (at == std::string::npos) {
        throw std::logic_error(file + " does not contain " + from);
    }
    bytes.replace(at, from.size(), to);
    folder.files[file] = bytes;
}

} // namespace broken
