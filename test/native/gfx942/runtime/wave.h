#pragma once

#include "runtime/fault.h"
#include "runtime/translated_kernel.h"

#include <array>
#include <vector>

namespace gfx942 {

class Launch;
struct Workgroup;

inline constexpr u32 laneCount = 64;
inline constexpr u32 vectorWords = 512; ///< 256 VGPRs, then 256 accumulation registers
inline constexpr u32 vccRegister = 106, execRegister = 126;

/// How a memory access maps to register bits.
enum class Form : uint8_t {
    dwords,
    unsignedByte,
    signedByte,
    unsignedHalf,
    signedHalf,
    lowHalf, ///< the register's other half is kept
    highHalf,
    unsignedByteLow,
    unsignedByteHigh,
    signedByteLow,
    signedByteHigh,
};

enum class Operation : uint8_t {
    none,
    add,
    subtract,
    exchange,
    compareExchange,
    minimum,
    maximum,
    minimumSigned,
    maximumSigned,
    conjunction,
    disjunction,
    exclusive,
    increment,
    decrement,
    addFloat,
};

/// The constant part of a memory instruction.
struct Access {
    u32 instruction;
    uint16_t reg; ///< first register loaded, stored or returned
    uint8_t dwords;
    Form form;
    Operation operation;
    bool returns; ///< an atomic that gives the old value
    bool sc0, sc1, nt;
};

struct Addresses {
    alignas(64) u64 lane[laneCount];
};
struct Offsets {
    alignas(64) u32 lane[laneCount];
};

/// Operations of one counter in flight, oldest first, each with the registers that it will write.
class InFlight {
public:
    struct Entry {
        uint16_t first, count; ///< count 0: a store
        u32 number;
    };
    u32 size() const { return size_; }
    const Entry &at(u32 i) const { return ring_[(head_ + i) % ring_.size()]; }
    u32 push(uint16_t first, uint16_t count);
    Entry pop();

private:
    std::array<Entry, 64> ring_{};
    u32 head_ = 0, size_ = 0, next_ = 0;
};

/// A store that the wave has issued and memory has not seen yet.
struct DelayedStore {
    u64 address = 0;
    u32 bytes = 0;
    u32 number = 0; ///< of its InFlight entry
    u32 data[4] = {};
    u32 defined = 0; ///< one bit a dword
    bool device = false, system = false;
    bool toPeer = false; ///< to another device's mailboxes
    u64 due = 0;         ///< when it arrives there at the latest, in instructions of all devices
};

enum class WaveState : uint8_t { running, atBarrier, asleep, finished };

/// Registers and control state of 64 lanes. Scalar registers: 0-101, vcc 106, m0 124, exec 126.
struct Wave {
    alignas(256) u32 v[vectorWords][laneCount];
    u64 defined[vectorWords]; ///< one bit a lane
    u32 s[128];
    u32 scalarDefined[128]; ///< one bit a bit
    u64 pending[10];        ///< registers that loads in flight will write: 512 vector words, then the scalars
    u32 scc;
    bool sccDefined;
    WaveState state;
    u32 block;    ///< where it goes on
    u32 index;    ///< in its workgroup
    u32 barriers; ///< passed so far
    u64 executed; ///< instructions
    Launch *launch;
    Workgroup *group;
    InFlight vector, local, scalar; ///< vmcnt; lgkmcnt's LDS part, which is in order, and its scalar part, which is not
    std::vector<DelayedStore> delayed; ///< on the way to the own device's memory
    std::vector<DelayedStore> sent;    ///< to other devices'
};

} // namespace gfx942
