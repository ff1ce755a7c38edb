#include "busy_processes.h"

#ifdef __linux__
#include <csignal>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace bench {

#ifdef __linux__

namespace {

constexpr unsigned longestLife = 120; // seconds

[[noreturn]] void beBusy() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(longestLife);
    volatile uint64_t work = 0;
    while (true) {
        work = work + 1;
    }
}

} // namespace

BusyProcesses::BusyProcesses(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const pid_t child = fork();
        if (child == 0) {
            beBusy();
        }
        if (child < 0) {
            throw std::runtime_error("cannot start a busy process");
        }
        children_.push_back(child);
    }
}

BusyProcesses::~BusyProcesses() {
    for (const int child : children_) {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
}

#else

BusyProcesses::BusyProcesses(uint32_t) {}
BusyProcesses::~BusyProcesses() = default;

#endif

} // namespace bench
