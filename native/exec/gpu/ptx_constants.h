#pragma once

#include "exec/gpu/kernel_constants.h"

#include <span>
#include <string>
#include <string_view>

namespace monokernel {

/// The PTX of a kernel with one parameter, a struct, with moves of the constants in place of the loads of these fields.
/// The driver's compiler does the rest: what does not run on this model goes, and the numbers become part of the
/// instructions. Loads in a form that is not known here stay, so do those of other fields.
std::string withConstants(std::string_view ptx, std::span<const KernelConstant> constants);

} // namespace monokernel
