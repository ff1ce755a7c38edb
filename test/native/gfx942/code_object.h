#pragma once

#include "runtime/device_memory.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace gfx942 {

std::vector<std::byte> readCodeObject(const std::filesystem::path &file);

/// 64-bit FNV-1a, as the translator writes it into TranslatedKernel::imageHash.
uint64_t imageHash(std::span<const std::byte> image);

/// Puts the loadable segments of the ELF file into device memory; returns the address of its address 0.
uint64_t loadSegments(std::span<const std::byte> image, DeviceMemory &memory);

} // namespace gfx942
