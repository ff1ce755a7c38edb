#include "stream_read.h"

#include "exec/cpu/cpu_cores.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace bench {

namespace {

constexpr size_t hugePage = size_t{2} << 20;
using Line = uint64_t __attribute__((vector_size(64)));

/// Four streams a thread, which is the fastest way of reading on the machines tried.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
uint64_t
readAll(const std::byte *data, size_t bytes) {
    const size_t lines = bytes / 64 / 4;
    const auto *p = reinterpret_cast<const Line *>(data);
    Line a{}, b{}, c{}, d{};
    for (size_t i = 0; i < lines; i++) {
        a ^= p[i];
        b ^= p[lines + i];
        c ^= p[2 * lines + i];
        d ^= p[3 * lines + i];
    }
    a ^= b ^ c ^ d;
    return a[0] ^ a[7];
}

/// Runs body(thread) on pinned threads.
template <class Body> void onThreads(uint32_t count, const Body &body) {
    const std::vector<uint32_t> cores = monokernel::cpu::spreadOverCaches(monokernel::cpu::usableCores(), count);
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < count; i++) {
        threads.emplace_back([&, i] {
            const monokernel::cpu::ThreadPin pin(cores[i % cores.size()]);
            body(i);
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
}

} // namespace

StreamRead::StreamRead(size_t bytes, uint32_t threads) : bytesPerThread_(bytes / threads / 256 * 256), parts_(threads) {
    onThreads(threads, [this](uint32_t i) {
        parts_[i] = static_cast<std::byte *>(::operator new(bytesPerThread_, std::align_val_t{hugePage}));
#ifdef __linux__
        madvise(parts_[i], bytesPerThread_, MADV_HUGEPAGE);
#endif
        std::memset(parts_[i], 1, bytesPerThread_);
    });
}

StreamRead::~StreamRead() {
    for (std::byte *part : parts_) {
        ::operator delete(part, std::align_val_t{hugePage});
    }
}

std::vector<double> StreamRead::passes(uint32_t passes) {
    const auto threads = static_cast<uint32_t>(parts_.size());
    std::vector<std::vector<double>> times(threads, std::vector<double>(passes));
    std::atomic<uint32_t> arrived{0};
    std::atomic<uint64_t> sink{0};
    onThreads(threads, [&](uint32_t i) {
        for (uint32_t pass = 0; pass < passes; pass++) {
            arrived++;
            while (arrived < threads * (pass + 1)) {
            }
            const auto start = std::chrono::steady_clock::now();
            sink.fetch_xor(readAll(parts_[i], bytesPerThread_), std::memory_order_relaxed);
            times[i][pass] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        }
    });
    std::vector<double> slowest(passes);
    for (uint32_t pass = 0; pass < passes; pass++) {
        for (const std::vector<double> &thread : times) {
            slowest[pass] = std::max(slowest[pass], thread[pass]);
        }
    }
    return slowest;
}

} // namespace bench
