#include "model/model_error.h"

namespace monokernel {

const char *modelErrorName(ModelErrorCode code) {
    switch (code) {
    case ModelErrorCode::folderMissing:
        return "folderMissing";
    case ModelErrorCode::fileMissing:
        return "fileMissing";
    case ModelErrorCode::configMalformed:
        return "configMalformed";
    case ModelErrorCode::configUnsupported:
        return "configUnsupported";
    case ModelErrorCode::familyUnknown:
        return "familyUnknown";
    case ModelErrorCode::weightsMalformed:
        return "weightsMalformed";
    case ModelErrorCode::weightsTruncated:
        return "weightsTruncated";
    case ModelErrorCode::weightsOverlapping:
        return "weightsOverlapping";
    case ModelErrorCode::tensorMissing:
        return "tensorMissing";
    case ModelErrorCode::tensorShape:
        return "tensorShape";
    case ModelErrorCode::tensorType:
        return "tensorType";
    case ModelErrorCode::vocabularyMismatch:
        return "vocabularyMismatch";
    case ModelErrorCode::memory:
        return "memory";
    }
    return "unknown";
}

} // namespace monokernel
