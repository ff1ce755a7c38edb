#pragma once

#include "engine/engine.h"

#include <optional>
#include <string>

namespace monokernel {

/// What makes this request impossible for a model of this vocabulary and a context of this length; nothing if it can
/// run.
std::optional<std::string> findRequestProblem(const GenerateRequest &request, uint32_t vocabularySize,
                                              uint32_t contextLength);

} // namespace monokernel
