#include "exec/cpu/cpu_cores.h"

#include "exec/cpu/cpu_topology.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace monokernel::cpu {

namespace {

#ifdef __linux__

/// Processors in the calling thread's affinity mask.
std::vector<uint32_t> affinity() {
    std::vector<uint32_t> processors;
    cpu_set_t mask;
    CPU_ZERO(&mask);
    if (sched_getaffinity(0, sizeof mask, &mask) != 0) {
        return processors;
    }
    for (uint32_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &mask)) {
            processors.push_back(i);
        }
    }
    return processors;
}

void setAffinity(const std::vector<uint32_t> &processors) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    for (uint32_t processor : processors) {
        CPU_SET(processor, &mask);
    }
    sched_setaffinity(0, sizeof mask, &mask); // A refused pin costs speed only.
}

/// What identifies the physical core of `processor`: the list of its hardware threads.
std::string coreOf(uint32_t processor) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(processor) + "/topology/thread_siblings_list");
    std::string siblings;
    std::getline(file, siblings);
    return siblings.empty() ? std::to_string(processor) : siblings;
}

/// Whole processors that the control group allows (version 2, then 1); 0 for no limit.
uint32_t cpuQuota() {
    double quota = 0, period = 0;
    std::string text;
    if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file >> text >> period) {
        quota = text == "max" ? 0 : std::strtod(text.c_str(), nullptr);
    } else {
        std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
        std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
    }
    return quota > 0 && period > 0 ? std::max(1u, static_cast<uint32_t>(quota / period)) : 0;
}

#else

std::vector<uint32_t> affinity() { return {}; }
void setAffinity(const std::vector<uint32_t> &) {}
std::string coreOf(uint32_t processor) { return std::to_string(processor); }
uint32_t cpuQuota() { return 0; }

#endif

} // namespace

std::vector<uint32_t> usableCores() {
    std::vector<uint32_t> processors = affinity();
    if (processors.empty()) {
        for (uint32_t i = 0; i < std::max(1u, std::thread::hardware_concurrency()); i++) {
            processors.push_back(i);
        }
    }
    std::vector<uint32_t> cores;
    std::set<std::string> seen;
    for (uint32_t processor : processors) {
        if (seen.insert(coreOf(processor)).second) {
            cores.push_back(processor);
        }
    }
    const uint32_t quota = cpuQuota();
    return quota != 0 && quota < cores.size() ? spreadOverCaches(cores, quota) : cores;
}

std::vector<uint32_t> spreadOverCaches(std::span<const uint32_t> cores, uint32_t count,
                                       const std::filesystem::path &system) {
    struct Sharers {
        LastLevelCache cache;
        std::vector<uint32_t> cores;
        size_t taken = 0;

        /// Bytes for each core if it took one more; nothing where it has no more.
        double room() const {
            const auto bytes = static_cast<double>(std::max<uint64_t>(cache.bytes, 1));
            return taken < cores.size() ? bytes / static_cast<double>(taken + 1) : 0.0;
        }
    };
    std::map<uint32_t, Sharers> caches;
    for (const uint32_t core : cores) {
        const LastLevelCache cache = lastLevelCache(core, system);
        Sharers &sharers = caches[cache.first];
        sharers.cache = cache;
        sharers.cores.push_back(core);
    }
    const size_t wanted = count == 0 ? cores.size() : std::min<size_t>(count, cores.size());
    for (size_t i = 0; i < wanted; i++) {
        std::ranges::max_element(caches, {}, [](const auto &one) { return one.second.room(); })->second.taken++;
    }
    std::vector<uint32_t> chosen;
    for (const auto &[first, sharers] : caches) {
        chosen.insert(chosen.end(), sharers.cores.begin(),
                      sharers.cores.begin() + static_cast<ptrdiff_t>(sharers.taken));
    }
    return chosen;
}

ThreadPin::ThreadPin(uint32_t processor) : before_(affinity()) {
    if (!before_.empty()) {
        setAffinity({processor});
    }
}

ThreadPin::~ThreadPin() {
    if (!before_.empty()) {
        setAffinity(before_);
    }
}

} // namespace monokernel::cpu
