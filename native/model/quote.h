#pragma once

#include <string>
#include <string_view>

namespace monokernel {

/// A name out of a file, for an error message: in double quotes, control characters replaced, cut at 120 bytes.
std::string quote(std::string_view name);

} // namespace monokernel
