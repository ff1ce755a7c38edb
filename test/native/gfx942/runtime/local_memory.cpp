#include "runtime/control.h"
#include "runtime/forms.h"
#include "runtime/launch.h"
#include "runtime/memory_access.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace gfx942 {

namespace {

enum class Touch : uint8_t { read, write, atomic };

void checkBounds(const Wave &w, const Access &access, u32 address, u32 bytes) {
    if (address + bytes > w.group->lds.size() || address + bytes < address) {
        fail(w, FaultKind::outOfBounds, access.instruction,
             "LDS address " + std::to_string(address) + " of " + std::to_string(w.group->lds.size()));
    }
    const u32 alignment = bytes == 12 ? 16 : bytes;
    if (address % alignment != 0) {
        fail(w, FaultKind::misaligned, access.instruction, "LDS address " + std::to_string(address));
    }
}

/// Two waves may touch one dword in the same interval between barriers only to read it, or both by atomics.
void checkRace(Wave &w, const Access &access, u32 address, u32 bytes, Touch touch) {
    const u32 interval = w.barriers + 1;
    const auto self = static_cast<uint8_t>(1u << w.index);
    for (u32 at = address / 4; at <= (address + bytes - 1) / 4; at++) {
        Workgroup::Word &word = w.group->words[at];
        const bool written = word.writtenIn == interval && word.writer != w.index;
        const bool read = word.readIn == interval && (word.readers & ~self) != 0;
        const bool bothAtomic = touch == Touch::atomic && word.atomic;
        if ((written && !bothAtomic) || (read && touch != Touch::read && !bothAtomic)) {
            fail(w, FaultKind::race, access.instruction,
                 "LDS address " + std::to_string(4 * at) + " was " + (written ? "written" : "read") +
                     " by another wave since the last barrier");
        }
        if (touch != Touch::write) {
            word.readers = static_cast<uint8_t>(word.readIn == interval ? word.readers | self : self);
            word.readIn = interval;
        }
        if (touch != Touch::read) {
            word.writtenIn = interval;
            word.writer = static_cast<uint8_t>(w.index);
        }
        word.atomic = touch == Touch::atomic;
    }
}

void checkKnown(const Wave &w, u32 instruction, u64 known, u64 x) {
    if ((known & x) != x) {
        fail(w, FaultKind::undefinedValue, instruction, "undefined LDS address");
    }
}

/// One bit a dword of the range.
u32 ldsDefined(const Wave &w, u32 address, u32 bytes) {
    u32 undefined = 0;
    for (u32 i = 0; i < bytes; i++) {
        undefined |= static_cast<u32>(w.group->defined[address + i] == 0) << (i / 4);
    }
    return ~undefined;
}

void readInto(Wave &w, const Access &access, const Offsets &at, u32 offset, u64 x) {
    const u32 bytes = elementBytes(access);
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left)), address = at.lane[lane] + offset;
        checkBounds(w, access, address, bytes);
        checkRace(w, access, address, bytes, Touch::read);
        u32 data[4] = {};
        std::memcpy(data, w.group->lds.data() + address, bytes);
        toRegisters(w, access, lane, data, ldsDefined(w, address, bytes));
    }
}

void writeFrom(Wave &w, const Access &access, const Offsets &at, u32 offset, u32 first, u64 x) {
    const u32 bytes = elementBytes(access);
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left)), address = at.lane[lane] + offset;
        checkBounds(w, access, address, bytes);
        checkRace(w, access, address, bytes, Touch::write);
        u32 data[4];
        const u32 defined = fromRegisters(w, access, first, lane, data);
        std::memcpy(w.group->lds.data() + address, data, bytes);
        for (u32 i = 0; i < bytes; i++) {
            w.group->defined[address + i] = defined >> (i / 4) & 1;
        }
    }
}

} // namespace

void ldsRead(Wave &w, const Access &access, const Offsets &at, u32 offset, u64 known, u64 x) {
    checkKnown(w, access.instruction, known, x);
    readInto(w, access, at, offset, x);
    issueLocal(w, access.instruction, access.reg, access.dwords);
}

void ldsReadPair(Wave &w, const Access &access, const Offsets &at, u32 first, u32 second, u64 known, u64 x) {
    checkKnown(w, access.instruction, known, x);
    // Both addresses are read before a result lands on the address register.
    const Offsets address = at;
    Access upper = access;
    upper.reg = static_cast<uint16_t>(access.reg + access.dwords);
    readInto(w, access, address, first, x);
    readInto(w, upper, address, second, x);
    issueLocal(w, access.instruction, access.reg, 2 * access.dwords);
}

void ldsWrite(Wave &w, const Access &access, const Offsets &at, u32 offset, u64 known, u64 x) {
    checkKnown(w, access.instruction, known, x);
    writeFrom(w, access, at, offset, access.reg, x);
    issueLocal(w, access.instruction, 0, 0);
}

void ldsWritePair(Wave &w, const Access &access, const Offsets &at, u32 first, u32 second, u32 data, u64 known, u64 x) {
    checkKnown(w, access.instruction, known, x);
    writeFrom(w, access, at, first, access.reg, x);
    writeFrom(w, access, at, second, data, x);
    issueLocal(w, access.instruction, 0, 0);
}

void ldsAtomic(Wave &w, const Access &access, const Offsets &at, u32 offset, u32 data, u32 extra, u64 known, u64 x) {
    checkKnown(w, access.instruction, known, x);
    const u32 bytes = 4 * access.dwords;
    const bool compares = access.operation == Operation::compareExchange;
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left)), address = at.lane[lane] + offset;
        checkBounds(w, access, address, bytes);
        checkRace(w, access, address, bytes, Touch::atomic);
        // The new value, then the expected one: ds_cmpst has them in this order in its second and first data operand.
        std::array<u32, 4> operand{};
        bool defined = ldsDefined(w, address, bytes) == allDefined;
        for (u32 word = 0; word < access.dwords; word++) {
            operand[word] = w.v[(compares ? extra : data) + word][lane];
            operand[access.dwords + word] = w.v[data + word][lane];
            defined = defined && (w.defined[data + word] >> lane & 1);
        }
        u32 old[4] = {}, result[4];
        std::memcpy(old, w.group->lds.data() + address, bytes);
        combine(access.operation, bytes, old, operand.data(), 1, result);
        std::memcpy(w.group->lds.data() + address, result, bytes);
        std::memset(w.group->defined.data() + address, defined, bytes);
        if (access.returns) {
            toRegisters(w, access, lane, old, defined ? allDefined : 0);
        }
    }
    issueLocal(w, access.instruction, access.reg, access.returns ? access.dwords : 0);
}

namespace {

struct Register {
    u32 value[laneCount];
    u64 defined;
};

/// Inactive lanes give 0.
Register activeLanes(const Wave &w, u32 r, u64 x) {
    Register copy{};
    for (u32 lane = 0; lane < laneCount; lane++) {
        copy.value[lane] = x >> lane & 1 ? w.v[r][lane] : 0;
    }
    copy.defined = w.defined[r] | ~x;
    return copy;
}

void setLane(Wave &w, u32 r, u32 lane, u32 value, bool defined) {
    const u64 bit = 1ull << lane;
    w.v[r][lane] = value;
    w.defined[r] = defined ? w.defined[r] | bit : w.defined[r] & ~bit;
}

} // namespace

void pullLanes(Wave &w, u32 instruction, u32 to, const Offsets &at, u64 known, u32 from, u64 x) {
    checkKnown(w, instruction, known, x);
    const Register source = activeLanes(w, from, x);
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left)), pick = at.lane[lane] >> 2 & 63;
        setLane(w, to, lane, source.value[pick], source.defined >> pick & 1);
    }
    issueLocal(w, instruction, to, 1);
}

void pushLanes(Wave &w, u32 instruction, u32 to, const Offsets &at, u64 known, u32 from, u64 x) {
    checkKnown(w, instruction, known, x);
    const Register source = activeLanes(w, from, x);
    Register result{{}, ~0ull};
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left)), pick = at.lane[lane] >> 2 & 63;
        result.value[pick] = source.value[lane];
        const u64 bit = 1ull << pick;
        result.defined = source.defined >> lane & 1 ? result.defined | bit : result.defined & ~bit;
    }
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left));
        setLane(w, to, lane, result.value[lane], result.defined >> lane & 1);
    }
    issueLocal(w, instruction, to, 1);
}

void swizzleLanes(Wave &w, u32 instruction, u32 to, u32 from, u32 pattern, u64 x) {
    const Register source = activeLanes(w, from, x);
    for (u64 left = x; left != 0; left &= left - 1) {
        const u32 lane = static_cast<u32>(__builtin_ctzll(left));
        u32 pick = 0;
        if (pattern & 0x8000) {
            pick = (lane & ~3u) + (pattern >> (2 * (lane & 3)) & 3);
        } else {
            const u32 within = (((lane & 31) & (pattern & 31)) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31);
            pick = (lane & 32) + within;
        }
        setLane(w, to, lane, source.value[pick], source.defined >> pick & 1);
    }
    issueLocal(w, instruction, to, 1);
}

} // namespace gfx942
