#pragma once

#include <cstddef>
#include <span>

namespace monokernel::cpu {

/// Zeroed memory straight from the operating system, aligned to at least 64 bytes. A page is placed when it is first
/// written, near the thread that writes it.
class PageMemory {
public:
    enum class Pages { ordinary, huge };

    PageMemory() = default;
    /// Throws ModelError(memory).
    PageMemory(size_t bytes, Pages pages);
    PageMemory(PageMemory &&other) noexcept;
    PageMemory &operator=(PageMemory &&other) noexcept;
    ~PageMemory();

    std::byte *data() const { return data_; }
    size_t size() const { return size_; }
    float *floats() const { return reinterpret_cast<float *>(data_); }

private:
    std::byte *data_ = nullptr;
    size_t size_ = 0;
    std::span<std::byte> mapping_;
};

/// Tells the operating system that these pages of a mapped file are not needed soon; they can be read again.
void releaseFilePages(std::span<const std::byte> bytes);

} // namespace monokernel::cpu
