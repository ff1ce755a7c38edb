#pragma once

#include "runtime/launch.h"

#include <cstring>
#include <span>
#include <vector>

namespace gfx942 {

namespace arithmetic {
extern const TranslatedKernel kernel;
}
namespace lanes {
extern const TranslatedKernel kernel;
}
namespace memory {
extern const TranslatedKernel kernel;
}
namespace matrix {
extern const TranslatedKernel kernel;
}
namespace faulty {
extern const TranslatedKernel kernel;
}
namespace peers {
extern const TranslatedKernel kernel;
}

/// What kernels/device.h calls Arguments.
struct TestArguments {
    u32 operation, count;
    u64 input, output;
};

/// Runs a test kernel to its end: `input` uploaded, an output of `outputBytes` (0xff bytes, defined) brought back.
/// Throws ExecutionFault.
std::vector<std::byte> runKernel(const TranslatedKernel &kernel, u32 operation, std::span<const std::byte> input,
                                 size_t outputBytes, const LaunchOptions &options = {});

template <class Out, class In>
std::vector<Out> run(const TranslatedKernel &kernel, u32 operation, const std::vector<In> &input, size_t results,
                     const LaunchOptions &options = {}) {
    const auto bytes = runKernel(kernel, operation, std::as_bytes(std::span(input)), results * sizeof(Out), options);
    std::vector<Out> out(results);
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
}

} // namespace gfx942
