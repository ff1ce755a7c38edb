#include "exec/cpu/cpu_features.h"

#include "exec/cpu/cpu_executor.h"

#include <stdexcept>
#include <vector>

namespace monokernel::cpu {

namespace {

// There is no path for AVX-512 BF16: vdpbf16ps rounds the activations to bf16 and sums in pairs, so its bits would
// depend on the machine, and in a matrix-vector product the memory is the limit anyway.
constexpr InstructionSet portable{"portable", "portable", &portableKernels};

#ifdef MONOKERNEL_X86
constexpr InstructionSet avx2{"avx2", "AVX2", &avx2Kernels};
constexpr InstructionSet avx512{"avx512", "AVX-512", &avx512Kernels};

// The compiler's run-time test reads CPUID, and XGETBV for what the operating system saves.
bool hasAvx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

bool hasAvx512() {
    return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

std::vector<InstructionSet> detect() {
    std::vector<InstructionSet> found;
#ifdef MONOKERNEL_X86
    if (hasAvx512()) {
        found.push_back(avx512);
    }
    if (hasAvx2()) {
        found.push_back(avx2);
    }
#endif
    found.push_back(portable);
    return found;
}

} // namespace

std::span<const InstructionSet> instructionSets() {
    static const std::vector<InstructionSet> sets = detect();
    return sets;
}

const InstructionSet &findInstructionSet(std::string_view name) {
    const std::span<const InstructionSet> sets = instructionSets();
    if (name.empty()) {
        return sets.front();
    }
    std::string known;
    for (const InstructionSet &set : sets) {
        if (set.name == name) {
            return set;
        }
        known += (known.empty() ? "" : ", ") + std::string(set.name);
    }
    throw std::invalid_argument("instruction set \"" + std::string(name) +
                                "\" is unknown or not on this machine; it has: " + known);
}

} // namespace monokernel::cpu

std::vector<std::string> monokernel::cpuInstructionSets() {
    std::vector<std::string> names;
    for (const cpu::InstructionSet &set : cpu::instructionSets()) {
        names.emplace_back(set.name);
    }
    return names;
}
