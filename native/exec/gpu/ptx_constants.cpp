#include "exec/gpu/ptx_constants.h"

#include <algorithm>
#include <array>
#include <optional>

namespace monokernel {

namespace {

constexpr std::string_view load = "ld.param.", parameter = "_param_0";
constexpr std::array<std::string_view, 4> types{"u32", "s32", "b32", "f32"};

/// A load of 4 bytes of the parameter: "ld.param.u32 \t%r1, [NAME_param_0+40];".
struct ParameterLoad {
    std::string_view to; ///< the register
    uint32_t offset = 0;
};

std::string_view trimmed(std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t");
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// The number whose decimal digits these are, if there is nothing else.
std::optional<uint32_t> wholeNumber(std::string_view digits) {
    if (digits.empty() || digits.size() > 9 || digits.find_first_not_of("0123456789") != digits.npos) {
        return std::nullopt;
    }
    uint32_t number = 0;
    for (const char digit : digits) {
        number = number * 10 + static_cast<uint32_t>(digit - '0');
    }
    return number;
}

/// The load that `instruction` is, which begins with "ld.param." and has no semicolon, if it is such a one.
std::optional<ParameterLoad> readLoad(std::string_view instruction) {
    instruction.remove_prefix(load.size());
    const size_t comma = instruction.find(','), open = instruction.find('['), close = instruction.find(']');
    if (std::ranges::find(types, instruction.substr(0, 3)) == types.end() || comma == instruction.npos ||
        open == instruction.npos || close == instruction.npos || close < open) {
        return std::nullopt;
    }
    const std::string_view to = trimmed(instruction.substr(3, comma - 3));
    const std::string_view address = instruction.substr(open + 1, close - open - 1);
    const size_t plus = std::min(address.find('+'), address.size());
    const std::optional<uint32_t> offset = plus == address.size() ? 0 : wholeNumber(trimmed(address.substr(plus + 1)));
    if (!to.starts_with('%') || !trimmed(address.substr(0, plus)).ends_with(parameter) || !offset.has_value()) {
        return std::nullopt;
    }
    return ParameterLoad{to, *offset};
}

/// What stands in the text in place of `instruction`, which begins with a load of a parameter.
std::string replaced(std::string_view instruction, std::span<const KernelConstant> constants) {
    if (const std::optional<ParameterLoad> found = readLoad(instruction)) {
        const auto constant = std::ranges::find(constants, found->offset, &KernelConstant::offset);
        if (constant != constants.end()) {
            return "mov.b32 " + std::string(found->to) + ", " + std::to_string(constant->bits);
        }
    }
    return std::string(instruction);
}

} // namespace

std::string withConstants(std::string_view ptx, std::span<const KernelConstant> constants) {
    std::string text;
    text.reserve(ptx.size());
    for (size_t at = 0; at < ptx.size();) {
        const size_t begin = std::min(ptx.find(load, at), ptx.size()), end = std::min(ptx.find(';', begin), ptx.size());
        text += ptx.substr(at, begin - at);
        if (begin < end) {
            text += replaced(ptx.substr(begin, end - begin), constants);
        }
        at = end;
    }
    return text;
}

} // namespace monokernel
