#pragma once

#include <filesystem>
#include <string>

namespace monokernel {

/// A kernel's bytes (PTX is text). Throws ExecutionError if it is not there.
std::string readKernelFile(const std::filesystem::path &file);

} // namespace monokernel
