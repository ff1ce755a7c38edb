#pragma once

#include <cstdint>
#include <span>

namespace gfx942 {

using u32 = uint32_t;
using u64 = uint64_t;
using i8 = int8_t;
using i16 = int16_t;
using i32 = int32_t;
using i64 = int64_t;

struct Wave;

/// Runs one basic block of a wave; returns the number of the block that comes next.
using BlockFunction = u32 (*)(Wave &);

struct InstructionText {
    u64 address;
    const char *text;
    const char *region; ///< the symbol it stands under
};

/// A code object's kernel after translation, with what its descriptor asks of the launch.
struct TranslatedKernel {
    const char *name;
    u64 imageHash; ///< 64-bit FNV-1a of the code object
    std::span<const BlockFunction> blocks;
    std::span<const InstructionText> instructions;
    u32 vectorRegisters;
    u32 accumulationOffset;
    u32 staticLds;
    u32 kernargBytes;
    i32 kernargRegister; ///< first of the pair that holds the parameters' address, -1 for none
    u32 workgroupRegister;
};

} // namespace gfx942
