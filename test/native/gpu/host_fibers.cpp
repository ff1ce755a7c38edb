#include "kernel/host_fibers.h"

#include <sys/mman.h>

#include <stdexcept>

extern "C" void monokernelSwitchFiber(void **save, void *to);

// Saves the callee-saved registers of the System V ABI on the old stack and takes them from the new one.
asm(R"(
.text
.globl monokernelSwitchFiber
.type monokernelSwitchFiber,@function
monokernelSwitchFiber:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp,(%rdi)
  mov %rsi,%rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");

namespace monokernel::kernel::host {

namespace {

constexpr size_t stackBytes = 64 << 10;

Fiber *running = nullptr;
void *schedulerStack = nullptr;
const std::function<void()> *kernelBody = nullptr;

void fiberMain() {
    (*kernelBody)();
    running->done = true;
    for (;;) {
        monokernelSwitchFiber(&running->stackPointer, schedulerStack);
    }
}

} // namespace

Fiber &current() { return *running; }

__attribute__((noinline)) void yield() { monokernelSwitchFiber(&running->stackPointer, schedulerStack); }

void workgroupBarrier() {
    Workgroup &group = *running->workgroup;
    const unsigned generation = group.generation;
    if (++group.arrived == group.threads) {
        group.arrived = 0;
        group.generation++;
        return;
    }
    while (group.generation == generation) {
        yield();
    }
}

const unsigned long long *exchange(unsigned long long word) {
    Wave &wave = running->workgroup->waves[running->thread / waveLanes];
    const unsigned slot = running->operations++ & 1, generation = wave.generation;
    wave.words[slot][running->thread % waveLanes] = word;
    if (++wave.arrived == waveLanes) {
        wave.arrived = 0;
        wave.generation++;
    } else {
        while (wave.generation == generation) {
            yield();
        }
    }
    return wave.words[slot];
}

struct Grid::Stacks {
    explicit Stacks(size_t count) : bytes(count * stackBytes) {
        memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            throw std::runtime_error("no memory for fibers");
        }
    }
    ~Stacks() { munmap(memory, bytes); }
    Stacks(const Stacks &) = delete;
    Stacks &operator=(const Stacks &) = delete;

    size_t bytes;
    void *memory = nullptr;
};

Grid::Grid(unsigned workgroups, unsigned threads, unsigned sharedBytes, std::function<void()> kernel,
           std::uint64_t seed)
    : stacks_(std::make_unique<Stacks>(size_t{workgroups} * threads)), kernel_(std::move(kernel)),
      random_(seed * 2 + 1), left_(size_t{workgroups} * threads) {
    char *top = static_cast<char *>(stacks_->memory);
    for (unsigned g = 0; g < workgroups; g++) {
        auto group = std::make_unique<Workgroup>();
        group->index = g;
        group->threads = threads;
        group->shared.assign(sharedBytes / 4, __builtin_nanf(""));
        group->waves.resize(threads / waveLanes);
        for (unsigned t = 0; t < threads; t++) {
            top += stackBytes;
            void **stack = reinterpret_cast<void **>(top);
            *--stack = nullptr; // keeps the stack 16-byte aligned at fiberMain's entry
            *--stack = reinterpret_cast<void *>(&fiberMain);
            for (int i = 0; i < 6; i++) {
                *--stack = nullptr;
            }
            fibers_.push_back({static_cast<void *>(stack), group.get(), t, 0, false});
        }
        workgroups_.push_back(std::move(group));
    }
}

Grid::~Grid() = default;

bool Grid::step() {
    kernelBody = &kernel_;
    const size_t waves = fibers_.size() / waveLanes;
    for (int turn = 0; turn < 64 && left_ > 0; turn++) {
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        const size_t wave = random_ % waves;
        const unsigned rounds = 1 + static_cast<unsigned>(random_ >> 33) % 64;
        for (unsigned round = 0; round < rounds; round++) {
            for (unsigned lane = 0; lane < waveLanes; lane++) {
                Fiber &fiber = fibers_[wave * waveLanes + lane];
                if (!fiber.done) {
                    running = &fiber;
                    monokernelSwitchFiber(&schedulerStack, fiber.stackPointer);
                    left_ -= fiber.done ? 1 : 0;
                }
            }
        }
    }
    return left_ == 0;
}

} // namespace monokernel::kernel::host
