#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace monokernel {

/// Appends a code point (at most 0x10FFFF, not a surrogate) as UTF-8.
void appendUtf8(std::string &out, uint32_t point);

/// Bytes of the UTF-8 sequence at the start of `text`, 0 if it is malformed (The Unicode Standard, table 3-7).
size_t utf8Length(std::string_view text);

} // namespace monokernel
