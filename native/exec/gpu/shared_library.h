#pragma once

#include <span>
#include <string>

namespace monokernel {

/// A driver library found at run time. Stays loaded for the life of the process: drivers do not like to be unloaded.
class SharedLibrary {
public:
    /// The first of `names` that loads; none if none does, and then `why` gets the loader's words.
    static SharedLibrary open(std::span<const char *const> names, std::string &why);

    explicit operator bool() const { return handle_ != nullptr; }

    /// A function of the library. Throws ExecutionError if it has no such function.
    template <class Function> Function *function(const char *name) const {
        return reinterpret_cast<Function *>(symbol(name));
    }

private:
    void *symbol(const char *name) const;
    void *handle_ = nullptr;
};

} // namespace monokernel
