#include "exec/gpu/shared_library.h"

#include "exec/executor.h"

#include <dlfcn.h>

namespace monokernel {

SharedLibrary SharedLibrary::open(std::span<const char *const> names, std::string &why) {
    SharedLibrary library;
    for (const char *name : names) {
        library.handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (library.handle_ != nullptr) {
            return library;
        }
    }
    const char *error = dlerror();
    why += error != nullptr ? error : "cannot be loaded";
    return library;
}

void *SharedLibrary::symbol(const char *name) const {
    void *found = dlsym(handle_, name);
    if (found == nullptr) {
        throw ExecutionError(std::string("the GPU driver has no function ") + name);
    }
    return found;
}

} // namespace monokernel
