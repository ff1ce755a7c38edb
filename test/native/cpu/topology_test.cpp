#include "check.h"
#include "exec/cpu/cpu_cores.h"
#include "exec/cpu/cpu_topology.h"
#include "exec/cpu/weight_prefetch.h"

#include <cstdlib>
#include <fstream>

using namespace monokernel::cpu;

namespace {

/// A machine as Linux describes it in files.
class Machine {
public:
    Machine() {
        std::string name = (std::filesystem::temp_directory_path() / "monokernel-cpu-XXXXXX").string();
        root = mkdtemp(name.data());
    }
    Machine(const Machine &) = delete;
    Machine &operator=(const Machine &) = delete;
    ~Machine() {
        std::error_code ignored;
        std::filesystem::remove_all(root, ignored);
    }

    void write(const std::string &file, const std::string &text) const {
        std::filesystem::create_directories((root / file).parent_path());
        std::ofstream(root / file) << text << "\n";
    }

    void processor(uint32_t number, const std::string &package, const std::string &threads) const {
        const std::string cpu = "sys/devices/system/cpu/cpu" + std::to_string(number);
        write(cpu + "/topology/physical_package_id", package);
        write(cpu + "/topology/thread_siblings_list", threads);
    }

    void cache(uint32_t number, uint32_t index, const std::string &level, const std::string &type,
               const std::string &size, const std::string &shared) const {
        const std::string folder =
            "sys/devices/system/cpu/cpu" + std::to_string(number) + "/cache/index" + std::to_string(index);
        write(folder + "/level", level);
        write(folder + "/type", type);
        write(folder + "/size", size);
        write(folder + "/shared_cpu_list", shared);
    }

    std::filesystem::path root;
};

} // namespace

TEST(twoSocketsWithTwoThreadsACore) {
    const Machine machine;
    machine.write("sys/devices/system/cpu/online", "0-7");
    machine.write("sys/devices/system/node/online", "0-1");
    machine.write("sys/devices/system/node/node0/cpulist", "0-1,4-5");
    machine.write("sys/devices/system/node/node1/cpulist", "2-3,6-7");
    machine.write("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:       1048576 kB");
    machine.write("proc/cpuinfo", "processor : 0\nmodel name\t: Some CPU @ 2 GHz");
    for (uint32_t number = 0; number < 8; number++) {
        const uint32_t core = number % 4;
        machine.processor(number, core < 2 ? "0" : "1", std::to_string(core) + "," + std::to_string(core + 4));
        const std::string threads = std::to_string(core) + "," + std::to_string(core + 4);
        machine.cache(number, 0, "1", "Data", "48K", threads);
        machine.cache(number, 1, "3", "Unified", "32M", core < 2 ? "0-1,4-5" : "2-3,6-7");
    }
    const std::vector<uint32_t> used{1, 6};
    const CpuTopology topology = readCpuTopology(used, machine.root);
    CHECK(topology.name == "Some CPU @ 2 GHz");
    CHECK(topology.cores.size() == 4);
    for (uint32_t i = 0; i < topology.cores.size(); i++) {
        const CpuCore &core = topology.cores[i];
        CHECK(core.processor == i && core.package == i / 2 && core.node == i / 2);
        CHECK(core.used == (i == 1 || i == 2)); // 6 is a thread of core 2
        CHECK(core.place == (i == 2 ? 1 : 0));
    }
    CHECK(topology.nodes.size() == 2 && topology.nodes[0].memoryBytes == 1ull << 30 &&
          topology.nodes[1].memoryBytes == 0);
    CHECK(topology.caches.size() == 2);
    const CpuCache &first = topology.caches[0], &last = topology.caches[1];
    CHECK(first.level == 1 && first.bytes == 48 << 10 && first.count == 4 && first.sharedBy == 1);
    CHECK(last.level == 3 && last.bytes == 32 << 20 && last.count == 2 && last.sharedBy == 2);
}

TEST(aSystemThatSaysNothingHasTheUsedCores) {
    const Machine machine;
    const std::vector<uint32_t> used{0, 2};
    const CpuTopology topology = readCpuTopology(used, machine.root);
    CHECK(topology.cores.size() == 2 && topology.cores[0].used && topology.cores[1].processor == 2);
    CHECK(topology.nodes.size() == 1 && topology.caches.empty() && topology.name.empty());
}

TEST(workersAreSpreadOverLastLevelCaches) {
    const Machine machine;
    const std::vector<std::string> sharers{"0-2,8-10", "3-5,11-13", "6-7,14-15"};
    for (uint32_t core = 0; core < 8; core++) {
        const std::string threads = std::to_string(core) + "," + std::to_string(core + 8);
        machine.cache(core, 0, "1", "Data", "48K", threads);
        machine.cache(core, 1, "3", "Unified", "32M", sharers[core / 3]);
        machine.cache(core, 2, "2", "Unified", "1M", threads); // in any order
    }
    using Cores = std::vector<uint32_t>;
    const auto spread = [&](const Cores &cores, uint32_t count) {
        return spreadOverCaches(cores, count, machine.root);
    };
    const Cores all{0, 1, 2, 3, 4, 5, 6, 7};
    CHECK((spread(all, 1) == Cores{0}));
    CHECK((spread(all, 2) == Cores{0, 3}));
    CHECK((spread(all, 5) == Cores{0, 1, 3, 4, 6}));
    CHECK((spread(all, 7) == Cores{0, 1, 2, 3, 4, 6, 7})); // three, two and two
    CHECK(spread(all, 8) == all && spread(all, 0) == all && spread(all, 100) == all);
    CHECK((spread({6, 7}, 1) == Cores{6}) && spread({}, 3).empty());
    CHECK((spread({7, 5, 0}, 0) == Cores{0, 5, 7})); // neighbours share a cache
    CHECK((spreadOverCaches(all, 3, machine.root / "nothing") == Cores{0, 1, 2}));
    // The larger cache takes as many more; cores that have no share of the last level, only a small cache, come last.
    for (uint32_t core = 0; core < 3; core++) {
        machine.cache(core, 1, "3", "Unified", "96M", sharers[0]);
    }
    CHECK((spread(all, 3) == Cores{0, 1, 2} && spread(all, 4) == Cores{0, 1, 2, 3}));
    for (uint32_t core = 6; core < 8; core++) {
        machine.cache(core, 1, "2", "Unified", "2M", "6-7");
        machine.cache(core, 2, "1", "Data", "32K", std::to_string(core));
    }
    CHECK((spread(all, 6) == Cores{0, 1, 2, 3, 4, 5} && spread(all, 7) == Cores{0, 1, 2, 3, 4, 5, 6}));
}

TEST(weightsAreAskedForAheadWhereItWasMeasuredToPay) {
    const Machine machine;
    machine.write("sys/devices/system/cpu/online", "0");
    machine.processor(0, "0", "0");
    machine.cache(0, 0, "2", "Unified", "1M", "0");
    machine.cache(0, 1, "3", "Unified", "32M", "0");
    const auto asks = [&](const std::string &vendor, uint32_t family, uint64_t megabytes) {
        machine.write("proc/cpuinfo", "vendor_id\t: " + vendor + "\ncpu family\t: " + std::to_string(family));
        return asksForWeightsAhead(readCpuTopology({}, machine.root), megabytes << 20);
    };
    CHECK(asks("AuthenticAMD", 26, 33) && asks("AuthenticAMD", 26, 2000) && asks("AuthenticAMD", 27, 2000));
    CHECK(!asks("AuthenticAMD", 25, 33) && !asks("AuthenticAMD", 25, 64) && asks("AuthenticAMD", 25, 65));
    CHECK(!asks("AuthenticAMD", 23, 2000) && !asks("GenuineIntel", 26, 2000));
    machine.write("proc/cpuinfo", "");
    CHECK(!asksForWeightsAhead(readCpuTopology({}, machine.root), 2000u << 20));
}

TEST(memoryThatGrewAfterTheStartCounts) {
    const Machine machine;
    machine.write("sys/devices/system/node/online", "0");
    machine.write("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:       1048576 kB");
    machine.write("proc/meminfo", "MemTotal:        3145728 kB\nMemFree:  1 kB");
    const std::vector<uint32_t> used{0};
    CHECK(readCpuTopology(used, machine.root).nodes[0].memoryBytes == 3ull << 30);
    machine.write("proc/meminfo", "MemTotal:         524288 kB"); // less the kernel's own, as on other machines
    CHECK(readCpuTopology(used, machine.root).nodes[0].memoryBytes == 1ull << 30);
}

TEST(nonsenseIsNotBelieved) {
    const Machine machine;
    machine.write("sys/devices/system/cpu/online", "0-,x,7-3,0-99999999999,-");
    machine.write("sys/devices/system/node/online", "none");
    machine.processor(0, "-1", "");
    machine.cache(0, 0, "x", "", "lots", "");
    const std::vector<uint32_t> used{0};
    const CpuTopology topology = readCpuTopology(used, machine.root);
    CHECK(topology.cores.size() <= 1u << 16 && topology.cores[0].used && topology.cores[0].package == 0);
    CHECK(topology.nodes.size() == 1);
}

TEST(thisMachineHasTheCoresThatWorkersUse) {
    const std::vector<uint32_t> used = usableCores();
    const CpuTopology topology = readCpuTopology(used);
    size_t marked = 0;
    for (const CpuCore &core : topology.cores) {
        marked += core.used ? 1 : 0;
    }
    CHECK(marked == used.size());
}
