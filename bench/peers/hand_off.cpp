// How far apart the machine's first two usable processors are: the time of a value's way from one to the other. Under a
// hypervisor this changes: two virtual processors lie on cores that share an L3 and its link to memory, or on cores
// with one each, where reading may be twice as fast and a hand-off takes several times as long. Usage: hand_off
//
// One request a line on standard input, one JSON object a line on standard output:
//   pass   answers {"nanoseconds":...}, of one way
// Standard input's end ends the program.

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

/// Some milliseconds in all; a median of many short turns, as a thread may lose its processor within one.
constexpr size_t turns = 51, roundTrips = 500;

std::vector<int> firstProcessors() {
    cpu_set_t usable;
    CPU_ZERO(&usable);
    sched_getaffinity(0, sizeof usable, &usable);
    std::vector<int> processors;
    for (int i = 0; i < CPU_SETSIZE && processors.size() < 2; i++) {
        if (CPU_ISSET(i, &usable)) {
            processors.push_back(i);
        }
    }
    return processors;
}

void pin(int processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/// The value that both wait for, alone on its cache lines.
struct alignas(128) Ball {
    std::atomic<size_t> hits = 0;

    void await(size_t wanted) const {
        while (hits.load(std::memory_order_acquire) != wanted) {
        }
    }
    void hit(size_t next) { hits.store(next, std::memory_order_release); }
};

double oneWay(const std::vector<int> &processors) {
    Ball ball;
    std::thread other([&] {
        pin(processors[1]);
        for (size_t i = 0; i < turns * roundTrips; i++) {
            ball.await(2 * i + 1);
            ball.hit(2 * i + 2);
        }
    });
    pin(processors[0]);
    std::array<double, turns> times{};
    size_t hits = 0;
    for (double &time : times) {
        const auto start = Clock::now();
        for (size_t trip = 0; trip < roundTrips; trip++, hits += 2) {
            ball.hit(hits + 1);
            ball.await(hits + 2);
        }
        time = std::chrono::duration<double, std::nano>(Clock::now() - start).count() / (2 * roundTrips);
    }
    other.join();
    std::nth_element(times.begin(), times.begin() + turns / 2, times.end());
    return times[turns / 2];
}

} // namespace

int main() {
    const std::vector<int> processors = firstProcessors();
    if (processors.size() < 2) {
        std::fprintf(stderr, "hand_off: needs two processors\n");
        return 1;
    }
    std::cout << "{\"load\":0}" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        if (line != "pass") {
            std::fprintf(stderr, "hand_off: unknown request \"%s\"\n", line.c_str());
            return 1;
        }
        std::cout << "{\"nanoseconds\":" << oneWay(processors) << "}" << std::endl;
    }
    return 0;
}
