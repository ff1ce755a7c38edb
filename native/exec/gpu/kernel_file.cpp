#include "exec/gpu/kernel_file.h"

#include "exec/executor.h"

#include <fstream>

namespace monokernel {

std::string readKernelFile(const std::filesystem::path &file) {
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    if (!in) {
        throw ExecutionError("the GPU kernel " + file.string() +
                             " is missing: install a package of Monokernel that holds it; "
                             "in a clone of its repository, build the kernels");
    }
    std::string bytes(static_cast<size_t>(in.tellg()), '\0');
    in.seekg(0);
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

} // namespace monokernel
