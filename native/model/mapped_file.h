#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace monokernel {

/// A regular file mapped for reading; unmapped when the object goes. Movable, not copyable. A file that another process
/// shortens while it is mapped faults on access, as with every mapping.
class MappedFile {
public:
    /// Throws ModelError: fileMissing (not there, not a regular file, not readable), memory (cannot be mapped).
    explicit MappedFile(const std::filesystem::path &path);
    MappedFile(MappedFile &&other) noexcept;
    MappedFile &operator=(MappedFile &&other) noexcept;
    ~MappedFile();

    std::span<const std::byte> bytes() const { return bytes_; }

private:
    std::span<const std::byte> bytes_;
};

/// A whole small text file. Throws ModelError: fileMissing, or configMalformed when it is larger than `limit` bytes.
std::string readTextFile(const std::filesystem::path &path, size_t limit);

} // namespace monokernel
