#include "exec/gpu/kernel_file.h"

#include "exec/executor.h"

#include <fstream>

namespace monokernel {

std::vector<std::byte> readKernelFile(const std::filesystem::path &file) {
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    if (!in) {
        throw ExecutionError("the GPU kernel " + file.string() +
                             " is missing: install a package of Monokernel that holds it; "
                             "in a clone of its repository, build the kernels");
    }
    std::vector<std::byte> bytes(static_cast<size_t>(in.tellg()) + 1);
    in.seekg(0);
    in.read(reinterpret_cast<char *>(bytes.data()), static_cast<std::streamsize>(bytes.size() - 1));
    return bytes;
}

} // namespace monokernel
