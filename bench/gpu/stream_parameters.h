#pragma once

namespace monokernel::kernel {

/// The argument of bench/gpu/stream_kernel.cpp.
struct StreamParameters {
    unsigned long long from, to; ///< to: 0 for a read alone
    unsigned long long bytes, sink;
    unsigned passes, workgroups;
};

} // namespace monokernel::kernel
