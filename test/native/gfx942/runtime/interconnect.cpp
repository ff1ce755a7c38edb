#include "runtime/interconnect.h"

#include "runtime/launch.h"
#include "runtime/store_queue.h"

#include <algorithm>
#include <cstring>

namespace gfx942 {

namespace {

/// Ways that the lanes of one store instruction may take: each has a delay of its own.
constexpr u32 ways = 4;
/// Turns of every device without one of its own after which a device counts as lost.
constexpr u64 patience = 64;

} // namespace

u32 Interconnect::join(DeviceMemory &memory) {
    devices_.push_back({.memory = &memory});
    return size() - 1;
}

u32 Interconnect::otherOwner(u32 own, u64 address) const {
    for (u32 device = 0; device < size(); device++) {
        if (device != own && devices_[device].memory != nullptr && devices_[device].memory->holds(address)) {
            return device;
        }
    }
    return none;
}

std::string Interconnect::describe(u32 device, u64 address) const {
    return "device " + std::to_string(device) + "'s " + memory(device).describe(address);
}

void Interconnect::begin(u32 device, Launch &launch) {
    Device &d = devices_[device];
    d.running = &launch;
    d.launches++;
    d.lastTurn = turns_;
    d.idle = false;
}

void Interconnect::end(u32 device, const Launch &launch) {
    Device &d = devices_[device];
    if (d.running != &launch) {
        return; // it had ended before
    }
    for (const auto &wave : d.running->waves()) {
        applyStores(*wave, wave->sent, [](const DelayedStore &) { return true; });
    }
    d.running = nullptr;
}

void Interconnect::send(Wave &w, size_t first) {
    const u32 device = w.launch->device;
    u64 due[ways];
    for (u64 &time : due) {
        const u64 bound = longestDelay_ >> random_() % 12; // from next to nothing up to the longest, each as often
        time = now_ + random_() % (bound + 1);
        events_.push({time, device, devices_[device].launches, &w});
    }
    for (size_t i = first; i < w.sent.size(); i++) {
        w.sent[i].due = due[random_() % ways];
    }
    advance(0);
}

void Interconnect::deliver(u32 from, const DelayedStore &store) {
    const u32 to = otherOwner(from, store.address);
    if (to == none) {
        return; // gone meanwhile
    }
    Device &d = devices_[to];
    d.memory->useShadow(store.address, store.bytes);
    std::memcpy(reinterpret_cast<void *>(store.address), store.data, store.bytes);
    Shadow shadow{.writer = static_cast<uint16_t>(from & 0xfff), .device = 1, .peer = 1};
    if (d.running != nullptr) {
        shadow.time = ++d.running->time;
        shadow.launch = d.running->number;
        d.running->sawStore(store.address);
        d.idle = false;
    }
    u32 word = 0;
    for (u64 at = store.address & ~3ull; at < store.address + store.bytes; at += 4) {
        shadow.defined = store.defined >> word++ & 1;
        d.memory->shadow(at) = shadow;
    }
    countStore();
}

void Interconnect::deliverDue() {
    while (!events_.empty() && events_.top().due <= now_) {
        const Event event = events_.top();
        events_.pop();
        const Device &from = devices_[event.device];
        if (from.running != nullptr && from.launches == event.launch) {
            applyStores(*event.wave, event.wave->sent, [&](const DelayedStore &store) { return store.due <= now_; });
        }
    }
}

void Interconnect::takeTurn(u32 device) {
    devices_[device].lastTurn = ++turns_;
    devices_[device].idle = false;
}

bool Interconnect::othersBusy(u32 device) const {
    for (u32 other = 0; other < size(); other++) {
        const Device &d = devices_[other];
        if (other != device && d.running != nullptr && !d.idle && turns_ - d.lastTurn < patience * size()) {
            return true;
        }
    }
    return false;
}

bool Interconnect::skipToArrival() {
    const u64 before = stores_;
    while (!events_.empty() && stores_ == before) {
        now_ = std::max(now_, events_.top().due);
        deliverDue();
    }
    return stores_ != before;
}

} // namespace gfx942
