#include "model/mapped_file.h"

#include "model/model_error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace monokernel {

namespace {

class FileDescriptor {
public:
    explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
    FileDescriptor(const FileDescriptor &) = delete;
    FileDescriptor &operator=(const FileDescriptor &) = delete;
    ~FileDescriptor() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }
    int get() const { return descriptor_; }

private:
    int descriptor_;
};

} // namespace

MappedFile::MappedFile(const std::filesystem::path &path) {
    // Non-blocking, so that a named pipe in the place of a file cannot stop us.
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) {
        const bool missing = errno == ENOENT;
        throw ModelError(ModelErrorCode::fileMissing,
                         path.string() + (missing ? " is missing. Download the model again, or choose another folder."
                                                  : std::string(" cannot be opened: ") + std::strerror(errno) + "."));
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        throw ModelError(ModelErrorCode::fileMissing, path.string() + " is not a regular file.");
    }
    const auto size = static_cast<size_t>(status.st_size);
    if (size == 0) {
        return;
    }
    void *const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (start == MAP_FAILED) {
        throw ModelError(ModelErrorCode::memory, path.string() + " cannot be mapped into memory (" +
                                                     std::to_string(size) + " bytes): " + std::strerror(errno) + ".");
    }
    bytes_ = {static_cast<const std::byte *>(start), size};
}

MappedFile::MappedFile(MappedFile &&other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) {
        ::munmap(const_cast<std::byte *>(bytes_.data()), bytes_.size());
    }
}

std::string readTextFile(const std::filesystem::path &path, size_t limit) {
    const MappedFile file(path);
    if (file.bytes().size() > limit) {
        throw ModelError(ModelErrorCode::configMalformed,
                         path.string() + " has " + std::to_string(file.bytes().size()) + " bytes, more than the " +
                             std::to_string(limit) + " that such a file may have.");
    }
    return {reinterpret_cast<const char *>(file.bytes().data()), file.bytes().size()};
}

} // namespace monokernel
