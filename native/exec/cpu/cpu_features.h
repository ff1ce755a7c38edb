#pragma once

#include "exec/cpu/kernels/kernels.h"

#include <span>
#include <string>
#include <string_view>

namespace monokernel::cpu {

/// One of the ways that the kernels were compiled.
struct InstructionSet {
    std::string_view name;  ///< as cpuInstructionSets() lists it
    std::string_view title; ///< for people
    const Kernels *kernels;
};

/// Those that this machine and its operating system can run, best first; never empty.
std::span<const InstructionSet> instructionSets();

/// The set called `name`, or the best one if it is empty. Throws std::invalid_argument.
const InstructionSet &findInstructionSet(std::string_view name);

} // namespace monokernel::cpu
