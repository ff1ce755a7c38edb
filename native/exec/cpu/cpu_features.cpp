#include "exec/cpu/cpu_features.h"

#include "exec/cpu/cpu_executor.h"

#include <stdexcept>
#include <vector>

#ifdef MONOKERNEL_X86
#include <cpuid.h>
#endif
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace monokernel::cpu {

namespace {

constexpr InstructionSet portable{"portable", "portable", &portableKernels};

#ifdef MONOKERNEL_X86
constexpr InstructionSet avx2{"avx2", "AVX2", &avx2Kernels};
constexpr InstructionSet avxVnni{"avxvnni", "AVX2 with VNNI", &avxVnniKernels};
constexpr InstructionSet avx512{"avx512", "AVX-512", &avx512Kernels};
constexpr InstructionSet avx512Vnni{"avx512vnni", "AVX-512 with VNNI", &avx512VnniKernels};
constexpr InstructionSet avx512Bf16{"avx512bf16", "AVX-512 with VNNI and BF16", &avx512Bf16Kernels};
constexpr InstructionSet amx{"amx", "AMX with BF16, AVX-512 with VNNI", &amxKernels};

// The compiler's run-time test reads CPUID, and XGETBV for what the operating system saves.
bool hasAvx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

bool hasAvx512() {
    return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool hasAvxVnni() { return hasAvx2() && __builtin_cpu_supports("avxvnni"); }

bool hasAvx512Vnni() { return hasAvx512() && __builtin_cpu_supports("avx512vnni"); }

bool hasAvx512Bf16() { return hasAvx512Vnni() && __builtin_cpu_supports("avx512bf16"); }

/// Tiles need the operating system's leave: Linux gives it to a process that asks.
bool hasAmx() {
#ifdef __linux__
    constexpr unsigned bf16 = 1u << 22, tile = 1u << 24, int8 = 1u << 25, all = bf16 | tile | int8; // CPUID 7, EDX
    constexpr int requestPermission = 0x1023, tileData = 18;
    unsigned a = 0, b = 0, c = 0, d = 0;
    return hasAvx512Bf16() && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & all) == all &&
           syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#else
    return false;
#endif
}

/// Intel's cores run vdpbf16ps at half the rate of two FMAs, AMD's at twice. The vendor decides rather than a timing,
/// so that a machine always gives the same bits: the dot instruction rounds activations.
bool dotsBf16Fast() { return __builtin_cpu_is("amd"); }
#endif

std::vector<InstructionSet> detect() {
    std::vector<InstructionSet> found;
#ifdef MONOKERNEL_X86
    if (hasAmx()) {
        found.push_back(amx);
    }
    const bool dots = hasAvx512Bf16();
    if (dots && dotsBf16Fast()) {
        found.push_back(avx512Bf16);
    }
    if (hasAvx512Vnni()) {
        found.push_back(avx512Vnni);
    }
    if (dots && !dotsBf16Fast()) {
        found.push_back(avx512Bf16);
    }
    if (hasAvx512()) {
        found.push_back(avx512);
    }
    if (hasAvxVnni()) {
        found.push_back(avxVnni);
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
