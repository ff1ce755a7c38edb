#include "runtime/forms.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace gfx942 {

namespace {

u32 loadedWord(Form form, u32 old, u32 raw) {
    const u32 low = old & 0xffff, high = old & 0xffff0000u;
    const auto signedByte = static_cast<u32>(static_cast<i32>(static_cast<i8>(raw)));
    switch (form) {
    case Form::dwords:
        return raw;
    case Form::unsignedByte:
        return raw & 0xff;
    case Form::signedByte:
        return signedByte;
    case Form::unsignedHalf:
        return raw & 0xffff;
    case Form::signedHalf:
        return static_cast<u32>(static_cast<i32>(static_cast<i16>(raw)));
    case Form::lowHalf:
        return high | (raw & 0xffff);
    case Form::highHalf:
        return low | raw << 16;
    case Form::unsignedByteLow:
        return high | (raw & 0xff);
    case Form::unsignedByteHigh:
        return low | (raw & 0xff) << 16;
    case Form::signedByteLow:
        return high | (signedByte & 0xffff);
    case Form::signedByteHigh:
        return low | signedByte << 16;
    }
    return raw;
}

template <class Word> Word combined(Operation operation, Word old, Word operand, Word expected) {
    using Signed = std::make_signed_t<Word>;
    const auto a = static_cast<Signed>(old), b = static_cast<Signed>(operand);
    switch (operation) {
    case Operation::none:
    case Operation::exchange:
        return operand;
    case Operation::add:
        return old + operand;
    case Operation::subtract:
        return old - operand;
    case Operation::compareExchange:
        return old == expected ? operand : old;
    case Operation::minimum:
        return std::min(old, operand);
    case Operation::maximum:
        return std::max(old, operand);
    case Operation::minimumSigned:
        return static_cast<Word>(std::min(a, b));
    case Operation::maximumSigned:
        return static_cast<Word>(std::max(a, b));
    case Operation::conjunction:
        return old & operand;
    case Operation::disjunction:
        return old | operand;
    case Operation::exclusive:
        return old ^ operand;
    case Operation::increment:
        return old >= operand ? 0 : old + 1;
    case Operation::decrement:
        return old == 0 || old > operand ? operand : old - 1;
    case Operation::addFloat:
        if constexpr (sizeof(Word) == 4) {
            return std::bit_cast<Word>(std::bit_cast<float>(old) + std::bit_cast<float>(operand));
        } else {
            return std::bit_cast<Word>(std::bit_cast<double>(old) + std::bit_cast<double>(operand));
        }
    }
    return old;
}

} // namespace

void toRegisters(Wave &w, const Access &access, u32 lane, const u32 *data, u32 defined) {
    const u64 bit = 1ull << lane;
    for (u32 word = 0; word < access.dwords; word++) {
        u32 &reg = w.v[access.reg + word][lane];
        reg = loadedWord(access.form, reg, data[word]);
        u64 &known = w.defined[access.reg + word];
        known = defined >> word & 1 ? known | bit : known & ~bit;
    }
}

u32 fromRegisters(const Wave &w, const Access &access, u32 first, u32 lane, u32 *data) {
    const bool upper = access.form == Form::highHalf || access.form == Form::unsignedByteHigh;
    u32 defined = 0;
    for (u32 word = 0; word < access.dwords; word++) {
        data[word] = w.v[first + word][lane] >> (upper ? 16 : 0);
        defined |= (w.defined[first + word] >> lane & 1) << word;
    }
    return defined;
}

void combine(Operation operation, u32 bytes, const u32 *old, const u32 *operand, u32 stride, u32 *result) {
    const bool compares = operation == Operation::compareExchange;
    if (bytes == 4) {
        result[0] = combined<u32>(operation, old[0], operand[0], compares ? operand[stride] : 0);
        return;
    }
    const auto wide = [&](u32 word) {
        return operand[word * stride] | static_cast<u64>(operand[(word + 1) * stride]) << 32;
    };
    u64 before = 0;
    std::memcpy(&before, old, 8);
    const u64 after = combined<u64>(operation, before, wide(0), compares ? wide(2) : 0);
    std::memcpy(result, &after, 8);
}

} // namespace gfx942
