#include "runtime/device_memory.h"

#include <cstdio>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace gfx942 {

namespace {

void *reserve(uint64_t bytes) {
    void *range = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) {
        throw std::bad_alloc();
    }
    return range;
}

} // namespace

DeviceMemory::DeviceMemory(uint64_t capacity)
    : capacity_(capacity / pageBytes * pageBytes), pages_(capacity / pageBytes) {
    base_ = reinterpret_cast<uint64_t>(reserve(capacity_));
    shadow_ = static_cast<Shadow *>(reserve(capacity_ / 4 * sizeof(Shadow)));
}

DeviceMemory::~DeviceMemory() {
    munmap(reinterpret_cast<void *>(base_), capacity_);
    munmap(shadow_, capacity_ / 4 * sizeof(Shadow));
}

uint64_t DeviceMemory::allocate(uint64_t bytes, MemoryKind kind) {
    const uint64_t pages = (bytes + pageBytes - 1) / pageBytes;
    if (bytes == 0 || next_ + (pages + 1) * pageBytes > capacity_) {
        throw std::bad_alloc();
    }
    const uint64_t address = base_ + next_;
    allocations_.push_back({address, address + bytes, kind});
    for (uint64_t page = 0; page < pages; page++) {
        pages_[pageOf(address) + page] = {static_cast<uint32_t>(allocations_.size() - 1), PageState::undefined};
    }
    std::memset(reinterpret_cast<void *>(address), 0xff, bytes);
    next_ += (pages + 1) * pageBytes;
    allocated_ += bytes;
    return address;
}

std::string DeviceMemory::describe(uint64_t address) const {
    const Allocation &allocation = allocationAt(address);
    char offset[24];
    std::snprintf(offset, sizeof offset, "%#llx", static_cast<unsigned long long>(address - allocation.begin));
    return allocation.end == 0 ? "no allocation"
                               : "allocation " + std::to_string(&allocation - allocations_.data()) + " + " + offset;
}

void DeviceMemory::useShadow(uint64_t address, uint64_t bytes) {
    for (uint64_t page = pageOf(address); page <= pageOf(address + bytes - 1); page++) {
        if (pages_[page].state == PageState::shadowed) {
            continue;
        }
        const uint16_t defined = pages_[page].state == PageState::plain;
        for (uint64_t word = 0; word < pageBytes / 4; word++) {
            shadow_[page * pageBytes / 4 + word] = {.defined = defined};
        }
        pages_[page].state = PageState::shadowed;
    }
}

void DeviceMemory::markDefined(uint64_t address, uint64_t bytes) {
    const uint64_t end = address + bytes;
    while (address < end) {
        const uint64_t page = pageOf(address), pageEnd = base_ + (page + 1) * pageBytes;
        const uint64_t stop = end < pageEnd ? end : pageEnd;
        const Allocation &allocation = allocationAt(address);
        if (address % pageBytes == 0 && (stop == pageEnd || stop == allocation.end)) {
            pages_[page].state = PageState::plain;
        } else {
            useShadow(address, stop - address);
            for (uint64_t at = address & ~3ull; at < stop; at += 4) {
                shadow(at) = {.defined = 1};
            }
        }
        address = stop;
    }
}

uint64_t DeviceMemory::firstUndefined(uint64_t address, uint64_t bytes) const {
    for (uint64_t at = address & ~3ull; at < address + bytes; at += 4) {
        const PageState state = pages_[pageOf(at)].state;
        if (state == PageState::undefined || (state == PageState::shadowed && !shadow(at).defined)) {
            return at;
        }
    }
    return 0;
}

} // namespace gfx942
