#include "code_object.h"

#include <cstring>
#include <elf.h>
#include <fstream>
#include <stdexcept>

namespace gfx942 {

std::vector<std::byte> readCodeObject(const std::filesystem::path &file) {
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    if (!in) {
        throw std::runtime_error(file.string() + ": cannot be read");
    }
    std::vector<std::byte> image(static_cast<size_t>(in.tellg()));
    in.seekg(0);
    in.read(reinterpret_cast<char *>(image.data()), static_cast<std::streamsize>(image.size()));
    return image;
}

uint64_t imageHash(std::span<const std::byte> image) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const std::byte byte : image) {
        hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3ull;
    }
    return hash;
}

uint64_t loadSegments(std::span<const std::byte> image, DeviceMemory &memory) {
    Elf64_Ehdr header;
    std::memcpy(&header, image.data(), sizeof header);
    std::vector<Elf64_Phdr> segments(header.e_phnum);
    std::memcpy(segments.data(), image.data() + header.e_phoff, segments.size() * sizeof(Elf64_Phdr));
    uint64_t extent = 0;
    for (const Elf64_Phdr &segment : segments) {
        extent = segment.p_type == PT_LOAD ? std::max(extent, segment.p_vaddr + segment.p_memsz) : extent;
    }
    const uint64_t base = memory.allocate(extent);
    for (const Elf64_Phdr &segment : segments) {
        if (segment.p_type == PT_LOAD) {
            auto *to = reinterpret_cast<std::byte *>(base + segment.p_vaddr);
            std::memset(to, 0, segment.p_memsz);
            std::memcpy(to, image.data() + segment.p_offset, segment.p_filesz);
        }
    }
    memory.markDefined(base, extent);
    return base;
}

} // namespace gfx942
