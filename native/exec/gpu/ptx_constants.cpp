#include "exec/gpu/ptx_constants.h"

#include <algorithm>
#include <array>
#include <charconv>
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

/// The load that `instruction` is, which begins with "ld.param." and has no semicolon, if it is such a one.
std::optional<ParameterLoad> readLoad(std::string_view instruction) {
    instruction.remove_prefix(load.size());
    const size_t comma = instruction.find(','), open = instruction.find('['), close = instruction.find(']');
    if (std::ranges::find(types, instruction.substr(0, 3)) == types.end() || comma == instruction.npos ||
        open == instruction.npos || close == instruction.npos || close < open) {
        return std::nullopt;
    }
    ParameterLoad found{trimmed(instruction.substr(3, comma - 3))};
    const std::string_view address = instruction.substr(open + 1, close - open - 1);
    const size_t plus = address.find('+');
    const std::string_view name = trimmed(address.substr(0, plus));
    if (!found.to.starts_with('%') || !name.ends_with(parameter)) {
        return std::nullopt;
    }
    if (plus != address.npos) {
        const std::string_view digits = trimmed(address.substr(plus + 1));
        const char *end = digits.data() + digits.size();
        if (std::from_chars(digits.data(), end, found.offset).ptr != end) {
            return std::nullopt;
        }
    }
    return found;
}

} // namespace

std::string withConstants(std::string_view ptx, std::span<const KernelConstant> constants) {
    std::string text;
    text.reserve(ptx.size());
    for (size_t at = 0; at < ptx.size();) {
        const size_t begin = std::min(ptx.find(load, at), ptx.size()), end = std::min(ptx.find(';', begin), ptx.size());
        text += ptx.substr(at, begin - at);
        const std::string_view instruction = ptx.substr(begin, end - begin);
        const auto found = instruction.empty() ? std::nullopt : readLoad(instruction);
        const auto constant = std::ranges::find_if(
            constants, [&](const KernelConstant &each) { return found && each.offset == found->offset; });
        if (constant != constants.end()) {
            text.append("mov.b32 ").append(found->to).append(", ").append(std::to_string(constant->bits));
        } else {
            text += instruction;
        }
        at = end;
    }
    return text;
}

} // namespace monokernel
