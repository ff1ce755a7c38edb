#pragma once

#include "runtime/device_memory.h"
#include "runtime/wave.h"

#include <queue>
#include <random>
#include <string>
#include <vector>

namespace gfx942 {

/// The devices of one box and the links between them. A store to another device's mailboxes arrives later, after a
/// random delay of its own, so stores overtake each other. It is there at the latest when its wave has waited for it,
/// when its workgroup stores to the address again, and when its kernel has ended.
class Interconnect {
public:
    static constexpr u32 none = ~0u;

    /// Delays last up to `longestDelay` instructions, all devices' counted; 0: stores arrive at once.
    explicit Interconnect(u64 seed = 0, u64 longestDelay = 0)
        : longestDelay_(longestDelay), random_(static_cast<u32>(seed)) {}

    /// The new device's number. `memory` must stay until the device leaves.
    u32 join(DeviceMemory &memory);
    void leave(u32 device) { devices_[device].memory = nullptr; }
    /// Kernels of `from` may store to the mailboxes of `to`.
    void connect(u32 from, u32 to) { devices_[from].connected |= 1ull << to; }
    bool connected(u32 from, u32 to) const { return devices_[from].connected >> to & 1; }

    u32 size() const { return static_cast<u32>(devices_.size()); }
    DeviceMemory &memory(u32 device) const { return *devices_[device].memory; }
    /// The device other than `own` that has this address, or none.
    u32 otherOwner(u32 own, u64 address) const;
    /// For people: "device 1's allocation 2 + 0x1f40".
    std::string describe(u32 device, u64 address) const;

    // What launches say and ask.

    void begin(u32 device, Launch &launch);
    /// The kernel has ended, or is given up: what it has sent arrives.
    void end(u32 device, const Launch &launch);
    /// Puts an instruction's stores, those of w.sent from `first` on, on their ways.
    void send(Wave &w, size_t first);
    /// Makes one store visible to the device that it goes to.
    void deliver(u32 from, const DelayedStore &store);
    /// `instructions` more have run somewhere: what is due arrives.
    void advance(u64 instructions) {
        now_ += instructions;
        if (!events_.empty() && events_.top().due <= now_) {
            deliverDue();
        }
    }

    /// A store became visible on some device.
    void countStore() { stores_++; }
    u64 stores() const { return stores_; }
    /// `device` runs some more; until it says that it is idle, others may wait for it.
    void takeTurn(u32 device);
    void setIdle(u32 device) { devices_[device].idle = true; }
    /// Whether another device may yet store something: it has work, and has had a turn lately.
    bool othersBusy(u32 device) const;
    /// All devices are idle: time passes until the next store arrives. False when none is on its way.
    bool skipToArrival();

private:
    struct Device {
        DeviceMemory *memory = nullptr;
        Launch *running = nullptr;
        u64 connected = 0; ///< a bit a device
        u64 lastTurn = 0;
        u32 launches = 0;
        bool idle = false;
    };
    /// Some of a wave's stores are due.
    struct Event {
        u64 due;
        u32 device, launch;
        Wave *wave; ///< as long as the launch runs
        bool operator>(const Event &other) const { return due > other.due; }
    };

    void deliverDue();

    u64 longestDelay_;
    std::minstd_rand random_;
    std::vector<Device> devices_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    u64 now_ = 0, stores_ = 0, turns_ = 0;
};

} // namespace gfx942
