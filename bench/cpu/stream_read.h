#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// Threads that do nothing but read: the limit of any engine that must read its weights once a token.
class StreamRead {
public:
    /// `bytes` in all, in equal parts that their threads touched first, on huge pages where allowed.
    StreamRead(size_t bytes, uint32_t threads);
    ~StreamRead();
    StreamRead(const StreamRead &) = delete;
    StreamRead &operator=(const StreamRead &) = delete;

    /// Seconds of each of `passes` passes over everything, the slowest thread's.
    std::vector<double> passes(uint32_t passes);

private:
    size_t bytesPerThread_;
    std::vector<std::byte *> parts_;
};

} // namespace bench
