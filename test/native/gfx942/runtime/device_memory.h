#pragma once

#include "runtime/fault.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gfx942 {

/// What is known of one dword of device memory.
struct Shadow {
    uint32_t time = 0;   ///< of the store, in the launch's own count
    uint16_t launch = 0; ///< in which it was last stored; 0: by the host or never
    uint16_t writer : 12 = 0;
    uint16_t device : 1 = 0;  ///< stored with device scope (sc1)
    uint16_t defined : 1 = 0; ///< was ever written
    uint16_t peer : 1 = 0;    ///< stored by another device, whose number `writer` is
};

/// What an allocation is for.
enum class MemoryKind : uint8_t {
    ordinary,  ///< the device's own
    pinned,    ///< the host's too
    mailboxes, ///< devices that are connected store to it
};

/// The device's memory: one reserved range of host addresses, which are the device's addresses too. Each dword has a
/// shadow; pages that no launch has written need none. Allocations keep a guard page between them.
class DeviceMemory {
public:
    explicit DeviceMemory(uint64_t capacity);
    ~DeviceMemory();
    DeviceMemory(const DeviceMemory &) = delete;
    DeviceMemory &operator=(const DeviceMemory &) = delete;

    /// Undefined contents (a NaN pattern). Throws std::bad_alloc when the capacity is used up.
    uint64_t allocate(uint64_t bytes, MemoryKind kind = MemoryKind::ordinary);
    /// The host wrote, or is about to read or write, this range: it must lie in one allocation.
    void markDefined(uint64_t address, uint64_t bytes);
    /// Address of the first undefined dword in the range, 0 for none.
    uint64_t firstUndefined(uint64_t address, uint64_t bytes) const;
    uint64_t bytesAllocated() const { return allocated_; }
    uint64_t capacity() const { return capacity_; }
    /// Launches are numbered from 1 so that their stores can be told apart.
    uint16_t nextLaunch() { return launches_ = launches_ == 0xffff ? 1 : static_cast<uint16_t>(launches_ + 1); }

    /// Whether [address, address + bytes) lies in one allocation.
    bool contains(uint64_t address, uint64_t bytes) const {
        const Allocation &allocation = allocationAt(address);
        return address >= allocation.begin && address + bytes <= allocation.end;
    }
    /// For people: "allocation 2 + 0x1f40".
    std::string describe(uint64_t address) const;
    /// Whether the address is the device's, allocated or not.
    bool holds(uint64_t address) const { return address - base_ < capacity_; }
    MemoryKind kindAt(uint64_t address) const { return allocationAt(address).kind; }

    /// True when every dword of the range is defined and was last written by the host.
    bool isPlain(uint64_t address, uint64_t bytes) const {
        const uint64_t last = pageOf(address + bytes - 1);
        for (uint64_t page = pageOf(address); page <= last; page++) {
            if (pages_[page].state != PageState::plain) {
                return false;
            }
        }
        return true;
    }
    /// True when the dword's shadow says whether it is defined.
    bool isShadowed(uint64_t address) const { return pages_[pageOf(address)].state == PageState::shadowed; }
    Shadow &shadow(uint64_t address) { return shadow_[(address - base_) / 4]; }
    const Shadow &shadow(uint64_t address) const { return shadow_[(address - base_) / 4]; }
    /// Before a kernel's store: from now on the pages' dwords speak for themselves.
    void useShadow(uint64_t address, uint64_t bytes);

private:
    static constexpr uint64_t pageBytes = 4096;
    enum class PageState : uint8_t { undefined, plain, shadowed };
    struct Page {
        uint32_t allocation = 0; ///< index + 1
        PageState state = PageState::undefined;
    };
    struct Allocation {
        uint64_t begin = 0, end = 0;
        MemoryKind kind = MemoryKind::ordinary;
    };
    uint64_t pageOf(uint64_t address) const { return (address - base_) / pageBytes; }
    const Allocation &allocationAt(uint64_t address) const {
        return allocations_[holds(address) ? pages_[pageOf(address)].allocation : 0];
    }

    uint64_t capacity_, base_ = 0, next_ = 0, allocated_ = 0;
    Shadow *shadow_ = nullptr;
    uint16_t launches_ = 0;
    std::vector<Page> pages_;
    std::vector<Allocation> allocations_{Allocation{}};
};

} // namespace gfx942
