#include "exec/cpu/cpu_topology.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

namespace monokernel::cpu {

namespace {

using std::filesystem::path;

constexpr uint32_t mostProcessors = 1u << 16; ///< a list that names more is not believed

std::string firstLine(const path &file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

/// A number at the start of the text; `otherwise` where there is none (or a negative one).
uint64_t number(std::string_view text, uint64_t otherwise) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() ? value : otherwise;
}

/// Linux's lists of processors: "0-3,8,10-11".
std::set<uint32_t> processorList(std::string_view text) {
    std::set<uint32_t> list;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        const uint64_t first = number(part, mostProcessors);
        const size_t dash = part.find('-');
        const uint64_t last = dash == std::string_view::npos ? first : number(part.substr(dash + 1), first);
        for (uint64_t processor = first; processor <= last && processor < mostProcessors; processor++) {
            list.insert(static_cast<uint32_t>(processor));
        }
    }
    return list;
}

/// "48K", "32M" in bytes.
uint64_t cacheBytes(std::string_view text) {
    const uint64_t value = number(text, 0);
    return text.ends_with('M') ? value << 20 : text.ends_with('K') ? value << 10 : value;
}

/// MemTotal of a machine's or a node's meminfo, in bytes; 0 if it is not there.
uint64_t totalMemory(const path &meminfo) {
    std::ifstream in(meminfo);
    for (std::string line; std::getline(in, line);) {
        if (const size_t at = line.find("MemTotal:"); at != std::string::npos) {
            const size_t digits = line.find_first_of("0123456789", at);
            return digits == std::string::npos ? 0 : number(std::string_view(line).substr(digits), 0) << 10;
        }
    }
    return 0;
}

/// What cpuinfo says of the first processor under `key`.
std::string processorField(const path &system, std::string_view key) {
    std::ifstream in(system / "proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with(key)) {
            const size_t at = line.find(": ");
            return at == std::string::npos ? std::string() : line.substr(at + 2);
        }
    }
    return {};
}

/// One core for each set of hardware threads.
std::vector<CpuCore> readCores(const path &cpus, const std::set<uint32_t> &online, std::span<const uint32_t> used) {
    std::vector<CpuCore> cores;
    for (const uint32_t processor : online) {
        const path topology = cpus / ("cpu" + std::to_string(processor)) / "topology";
        std::set<uint32_t> threads = processorList(firstLine(topology / "thread_siblings_list"));
        threads.insert(processor);
        if (*threads.begin() == processor || !online.contains(*threads.begin())) {
            const auto found = std::ranges::find_if(used, [&](uint32_t one) { return threads.contains(one); });
            const bool isUsed = found != used.end();
            const auto place = static_cast<uint32_t>(isUsed ? found - used.begin() : 0);
            const auto package = static_cast<uint32_t>(number(firstLine(topology / "physical_package_id"), 0));
            cores.push_back({processor, package, 0, isUsed, place});
        }
    }
    return cores;
}

std::vector<CpuNode> readNodes(const path &folder, std::vector<CpuCore> &cores) {
    std::vector<CpuNode> nodes;
    for (const uint32_t index : processorList(firstLine(folder / "online"))) {
        const path node = folder / ("node" + std::to_string(index));
        const std::set<uint32_t> processors = processorList(firstLine(node / "cpulist"));
        nodes.push_back({index, totalMemory(node / "meminfo")});
        for (CpuCore &core : cores) {
            core.node = processors.contains(core.processor) ? index : core.node;
        }
    }
    return nodes.empty() ? std::vector<CpuNode>{{0, 0}} : nodes;
}

/// A virtual machine's only node may still say what there was at its start; the machine's own total has grown since.
void countGrownMemory(std::vector<CpuNode> &nodes, const path &system) {
    if (nodes.size() == 1) {
        nodes[0].memoryBytes = std::max(nodes[0].memoryBytes, totalMemory(system / "proc/meminfo"));
    }
}

std::vector<CpuCache> readCaches(const path &cpus, const std::vector<CpuCore> &cores) {
    std::map<std::tuple<uint32_t, std::string, uint64_t>, std::map<std::set<uint32_t>, uint32_t>> found;
    for (const CpuCore &core : cores) {
        const path folder = cpus / ("cpu" + std::to_string(core.processor)) / "cache";
        for (uint32_t index = 0; !firstLine(folder / ("index" + std::to_string(index)) / "level").empty(); index++) {
            const path cache = folder / ("index" + std::to_string(index));
            const auto level = static_cast<uint32_t>(number(firstLine(cache / "level"), 0));
            found[{level, firstLine(cache / "type"), cacheBytes(firstLine(cache / "size"))}]
                 [processorList(firstLine(cache / "shared_cpu_list"))]++;
        }
    }
    std::vector<CpuCache> caches;
    for (const auto &[kind, instances] : found) {
        const auto largest = std::ranges::max_element(instances, {}, [](const auto &one) { return one.second; });
        caches.push_back({std::get<0>(kind), std::get<1>(kind), std::get<2>(kind),
                          static_cast<uint32_t>(instances.size()), largest->second});
    }
    return caches;
}

} // namespace

CpuTopology readCpuTopology(std::span<const uint32_t> used, const std::filesystem::path &system) {
    const path devices = system / "sys/devices/system";
    std::set<uint32_t> online = processorList(firstLine(devices / "cpu/online"));
    online.insert(used.begin(), used.end());
    CpuTopology topology;
    topology.name = processorField(system, "model name");
    topology.vendor = processorField(system, "vendor_id");
    topology.family = static_cast<uint32_t>(number(processorField(system, "cpu family"), 0));
    topology.cores = readCores(devices / "cpu", online, used);
    topology.nodes = readNodes(devices / "node", topology.cores);
    countGrownMemory(topology.nodes, system);
    topology.caches = readCaches(devices / "cpu", topology.cores);
    return topology;
}

LastLevelCache lastLevelCache(uint32_t processor, const std::filesystem::path &system) {
    const path caches = system / "sys/devices/system/cpu" / ("cpu" + std::to_string(processor)) / "cache";
    uint64_t highest = 0;
    LastLevelCache last;
    for (uint32_t index = 0; !firstLine(caches / ("index" + std::to_string(index)) / "level").empty(); index++) {
        const path cache = caches / ("index" + std::to_string(index));
        const std::set<uint32_t> sharers = processorList(firstLine(cache / "shared_cpu_list"));
        if (const uint64_t level = number(firstLine(cache / "level"), 0); level > highest && !sharers.empty()) {
            highest = level;
            last = {*sharers.begin(), cacheBytes(firstLine(cache / "size"))};
        }
    }
    return last;
}

} // namespace monokernel::cpu
