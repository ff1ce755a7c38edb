// The machine's limit for reading weights: threads that do nothing but read a buffer of a model's size, again and
// again. Usage: stream_read BYTES THREADS
//
// One request a line on standard input, one JSON object a line on standard output:
//   read SECONDS   reads for about so long; answers {"seconds":..., "bytes":...}

#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Vector = uint64_t __attribute__((vector_size(64)));

/// Several streams a thread keep more of the memory's banks busy than one.
constexpr size_t streamCount = 4;

/// A thread's share: [size] vectors on pages that this thread touched first.
class Share {
public:
    explicit Share(size_t bytes) : size_(bytes / sizeof(Vector) / streamCount * streamCount) {
        constexpr size_t hugePage = size_t{2} << 20;
        bytes_ = (size_ * sizeof(Vector) + hugePage - 1) / hugePage * hugePage;
        data_ = static_cast<Vector *>(std::aligned_alloc(hugePage, bytes_));
        if (!data_) {
            throw std::bad_alloc();
        }
        madvise(data_, bytes_, MADV_HUGEPAGE);
        for (size_t i = 0; i < size_; i++) {
            data_[i] = Vector{} + i;
        }
    }
    Share(const Share &) = delete;
    Share &operator=(const Share &) = delete;
    ~Share() { std::free(data_); }

    size_t bytes() const { return size_ * sizeof(Vector); }

    /// Reads everything once. The result keeps the compiler from leaving it out.
    uint64_t read() const {
        const size_t length = size_ / streamCount;
        Vector sums[streamCount] = {};
        for (size_t i = 0; i < length; i++) {
            for (size_t stream = 0; stream < streamCount; stream++) {
                sums[stream] |= data_[stream * length + i];
            }
        }
        const Vector sum = sums[0] | sums[1] | sums[2] | sums[3];
        return sum[0];
    }

private:
    size_t size_, bytes_;
    Vector *data_;
};

struct Reading {
    double seconds;
    uint64_t bytes;
};

Reading readFor(double seconds, size_t bytes, size_t threadCount) {
    std::atomic<size_t> ready = 0;
    std::atomic<bool> go = false;
    std::atomic<uint64_t> bytesRead = 0, sink = 0;
    std::vector<std::thread> threads;
    Clock::time_point start;
    for (size_t i = 0; i < threadCount; i++) {
        threads.emplace_back([&] {
            const Share share(bytes / threadCount);
            ready++;
            while (!go) {
                std::this_thread::yield();
            }
            const auto end = start + std::chrono::duration<double>(seconds);
            do {
                sink += share.read();
                bytesRead += share.bytes();
            } while (Clock::now() < end);
        });
    }
    while (ready < threadCount) {
        std::this_thread::yield();
    }
    start = Clock::now();
    go = true;
    for (std::thread &thread : threads) {
        thread.join();
    }
    return {std::chrono::duration<double>(Clock::now() - start).count(), bytesRead};
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::fprintf(stderr, "Usage: stream_read BYTES THREADS\n");
        return 2;
    }
    const size_t bytes = std::stoull(argv[1]);
    const size_t threads = std::stoull(argv[2]);
    std::cout << "{\"load\":0}" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream in(line);
        std::string command;
        double seconds = 0;
        if (!(in >> command >> seconds) || command != "read" || seconds > 60) {
            std::fprintf(stderr, "stream_read: unknown request \"%s\"\n", line.c_str());
            return 1;
        }
        const Reading reading = readFor(seconds, bytes, threads);
        std::cout << "{\"seconds\":" << reading.seconds << ",\"bytes\":" << reading.bytes << "}" << std::endl;
    }
    return 0;
}
