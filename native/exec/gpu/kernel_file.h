#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

namespace monokernel {

/// A kernel's bytes with a 0 after them (PTX is text). Throws ExecutionError if it is not there.
std::vector<std::byte> readKernelFile(const std::filesystem::path &file);

} // namespace monokernel
