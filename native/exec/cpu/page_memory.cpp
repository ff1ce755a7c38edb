#include "exec/cpu/page_memory.h"

#include "exec/cpu/kernels/kernels.h"
#include "model/model_error.h"

#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace monokernel::cpu {

namespace {

constexpr size_t hugePage = size_t{2} << 20;

[[noreturn]] void refuse(size_t bytes) {
    throw ModelError(ModelErrorCode::memory, "cannot get " + std::to_string(bytes >> 20) +
                                                 " MiB of memory; close other programs, use fewer slots, a shorter "
                                                 "context or a smaller model");
}

#ifdef __linux__
std::span<std::byte> mapPages(size_t bytes) {
    void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        refuse(bytes);
    }
    return {static_cast<std::byte *>(p), bytes};
}
void unmapPages(std::span<std::byte> pages) { munmap(pages.data(), pages.size()); }
#else
std::span<std::byte> mapPages(size_t bytes) {
    void *p = ::operator new(bytes, std::align_val_t{64}, std::nothrow);
    if (p == nullptr) {
        refuse(bytes);
    }
    return {static_cast<std::byte *>(std::memset(p, 0, bytes)), bytes};
}
void unmapPages(std::span<std::byte> pages) { ::operator delete(pages.data(), std::align_val_t{64}); }
#endif

} // namespace

PageMemory::PageMemory(size_t bytes, Pages pages) {
    if (bytes == 0) {
        return;
    }
    // Huge pages need a huge alignment; small areas would waste most of theirs.
    const bool huge = pages == Pages::huge && bytes >= hugePage;
    if (bytes > SIZE_MAX / 2) {
        refuse(bytes);
    }
    mapping_ = mapPages(bytes + (huge ? hugePage : 0));
    const auto address = reinterpret_cast<uintptr_t>(mapping_.data());
    data_ = mapping_.data() + (huge ? roundUp(address, hugePage) - address : 0);
    size_ = bytes;
#ifdef __linux__
    if (huge) { // Whole ones only: the end would take a huge page for a few bytes.
        madvise(data_, size_ / hugePage * hugePage, MADV_HUGEPAGE);
    }
#endif
}

PageMemory::PageMemory(PageMemory &&other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)),
      mapping_(std::exchange(other.mapping_, {})) {}

PageMemory &PageMemory::operator=(PageMemory &&other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapping_, other.mapping_);
    return *this;
}

PageMemory::~PageMemory() {
    if (!mapping_.empty()) {
        unmapPages(mapping_);
    }
}

void releaseFilePages(std::span<const std::byte> bytes) {
#ifdef __linux__
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) + page - 1;
    const auto first = begin - begin % page;
    const auto end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size());
    if (const auto last = end - end % page; first < last) {
        madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
    }
#else
    (void)bytes;
#endif
}

} // namespace monokernel::cpu
