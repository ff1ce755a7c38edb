#pragma once

// Fibers for the kernel's host build: a workgroup's lanes on one OS thread, scheduled wave by wave in a seeded random
// order, since an even order hides missing barriers. Test support only.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace monokernel::kernel::host {

constexpr unsigned waveLanes = 64;

/// A wave's mailbox for whole-wave operations. Two slots: a lane may be one operation ahead of another.
struct Wave {
    unsigned long long words[2][waveLanes] = {};
    unsigned arrived = 0, generation = 0;
};

struct Workgroup {
    unsigned index = 0, threads = 0;
    std::vector<float> shared;
    std::vector<Wave> waves;
    unsigned arrived = 0, generation = 0;
};

struct Fiber {
    void *stackPointer = nullptr;
    Workgroup *workgroup = nullptr;
    unsigned thread = 0, operations = 0;
    bool done = false;
};

Fiber &current();
void yield();
void workgroupBarrier();
/// Deposits this lane's word and returns all lanes' words of this operation. Every lane of the wave must call.
const unsigned long long *exchange(unsigned long long word);

/// A grid of fibers that runs a little at each step().
class Grid {
public:
    Grid(unsigned workgroups, unsigned threads, unsigned sharedBytes, std::function<void()> kernel, std::uint64_t seed);
    ~Grid();
    Grid(const Grid &) = delete;
    Grid &operator=(const Grid &) = delete;

    /// Runs some waves; true when all fibers have ended.
    bool step();

private:
    struct Stacks;
    std::unique_ptr<Stacks> stacks_;
    std::vector<std::unique_ptr<Workgroup>> workgroups_;
    std::vector<Fiber> fibers_;
    std::function<void()> kernel_;
    std::uint64_t random_;
    size_t left_;
};

} // namespace monokernel::kernel::host
