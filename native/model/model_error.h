#pragma once

#include <stdexcept>
#include <string>

namespace monokernel {

/// What is wrong with a model folder. The code is stable (TypeScript and tests switch on it); the message says which
/// file or tensor it is and what to do.
enum class ModelErrorCode {
    folderMissing,
    fileMissing,
    configMalformed,
    configUnsupported,
    familyUnknown,
    weightsMalformed,
    weightsTruncated,
    weightsOverlapping,
    tensorMissing,
    tensorShape,
    tensorType,
    vocabularyMismatch,
    memory,
};

/// The code's stable name, for example "fileMissing".
const char *modelErrorName(ModelErrorCode code);

class ModelError : public std::runtime_error {
public:
    ModelError(ModelErrorCode code, const std::string &message) : std::runtime_error(message), code_(code) {}
    ModelErrorCode code() const { return code_; }

private:
    ModelErrorCode code_;
};

} // namespace monokernel
