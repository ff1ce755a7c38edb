#pragma once

#include <cstdint>
#include <vector>

namespace bench {

/// Processes that want a processor each and do nothing with it. They end with this object, with the bench, or by
/// themselves after two minutes, whatever comes first. None where the operating system is not Linux.
class BusyProcesses {
public:
    explicit BusyProcesses(uint32_t count);
    ~BusyProcesses();
    BusyProcesses(const BusyProcesses &) = delete;
    BusyProcesses &operator=(const BusyProcesses &) = delete;

private:
    std::vector<int> children_;
};

} // namespace bench
