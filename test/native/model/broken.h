#pragma once

#include "model/model_error.h"
#include "model_draft.h"

#include <functional>
#include <string>
#include <vector>

namespace broken {

using Code = monokernel::ModelErrorCode;
using draft::ModelFolder;

/// One way in which a model folder can be wrong, and what the person must be told.
struct Case {
    const char *what;
    std::function<ModelFolder()> good;
    std::function<void(ModelFolder &)> spoil;
    Code code;
    std::vector<std::string> said; ///< each must be in the message
};

/// Each case's folder must open as it is made, and when spoiled fail with the case's code and words.
void run(const std::vector<Case> &cases);

/// Opening `folder` must fail with that code, and with each of `said` in the message.
void checkFails(const std::filesystem::path &folder, const std::string &what, Code code,
                const std::vector<std::string> &said);

void set(ModelFolder &folder, const char *member, const char *value);

/// Replaces text inside a file of the folder; the text must be there.
void replace(ModelFolder &folder, const std::string &file, const std::string &from, const std::string &to);

} // namespace broken
