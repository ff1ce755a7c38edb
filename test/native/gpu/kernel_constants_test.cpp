#include "check.h"
#include "exec/gpu/gpu_layout.h"
#include "exec/gpu/kernel_constants.h"
#include "exec/gpu/kernel_file.h"
#include "exec/gpu/ptx_constants.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <filesystem>
#include <set>

using namespace monokernel;

namespace {

using kernel::Parameters;

Parameters someParameters() {
    Parameters p{};
    p.layers = 7;
    p.hidden = 512;
    p.device = 1;
    p.normEpsilon = 1e-5f;
    p.scratchOffset = 0;
    return p;
}

size_t occurrences(const std::string &text, const std::string &of) {
    size_t count = 0;
    for (size_t at = text.find(of); at != std::string::npos; at = text.find(of, at + 1)) {
        count++;
    }
    return count;
}

} // namespace

TEST(loadsOfConstantsBecomeMovesAndNothingElseChanges) {
    const std::vector<KernelConstant> constants{{0, 7}, {8, 512}, {12, 0x3f800000}};
    const struct {
        const char *before, *after;
    } cases[] = {
        {"\tld.param.u32 \t%r1, [monokernel_param_0];\n", "\tmov.b32 %r1, 7;\n"},
        {"\tld.param.u32 \t%r29, [monokernel_param_0+8];\n", "\tmov.b32 %r29, 512;\n"},
        {"@%p1 ld.param.b32 %r29,[k_param_0+8];", "@%p1 mov.b32 %r29, 512;"},
        {"\tld.param.f32 \t%f6, [monokernel_param_0+12];", "\tmov.b32 %f6, 1065353216;"},
        // Not a constant, another width, another parameter, an address that is not a number, a cut text.
        {"\tld.param.u32 \t%r1, [monokernel_param_0+4];", nullptr},
        {"\tld.param.u32 \t%r1, [monokernel_param_0+80];", nullptr},
        {"\tld.param.u64 \t%rd1, [monokernel_param_0+8];", nullptr},
        {"\tld.param.v2.u32 \t{%r1, %r2}, [monokernel_param_0+8];", nullptr},
        {"\tld.param.u32 \t%r1, [monokernel_param_10+8];", nullptr},
        {"\tld.param.u32 \t%r1, [%rd1+8];", nullptr},
        {"\tld.param.u32 \t%r1, [monokernel_param_0+8x];", nullptr},
        {"ld.param.u32 %r1, [monokernel_param_0", nullptr},
        {"ld.param.", nullptr},
        {"mov.u32 %r1, %r2;\n", nullptr},
        {"", nullptr},
    };
    for (const auto &[before, after] : cases) {
        const std::string text = withConstants(before, constants);
        CHECK_MESSAGE(text == (after != nullptr ? after : before), std::string(before) + " -> " + text);
    }
    std::string all, expected;
    for (const auto &[before, after] : cases) {
        all += std::string(before) + ";";
        expected += std::string(after != nullptr ? after : before) + ";";
    }
    CHECK(withConstants(all, constants) == expected);
}

TEST(constantsAreWhatNoRequestChanges) {
    const Parameters p = someParameters();
    const std::vector<KernelConstant> constants = kernelConstants(p);
    std::set<uint32_t> offsets;
    for (const KernelConstant &constant : constants) {
        CHECK(constant.offset % 4 == 0 && constant.offset < sizeof p && offsets.insert(constant.offset).second);
    }
    const auto valueAt = [&](size_t offset) {
        const auto found = std::ranges::find(constants, offset, &KernelConstant::offset);
        return found == constants.end() ? ~0u : found->bits;
    };
    CHECK(valueAt(offsetof(Parameters, layers)) == 7 && valueAt(offsetof(Parameters, hidden)) == 512);
    CHECK(valueAt(offsetof(Parameters, device)) == 1 && valueAt(offsetof(Parameters, scratchOffset)) == 0);
    CHECK(valueAt(offsetof(Parameters, normEpsilon)) == std::bit_cast<uint32_t>(1e-5f));
    for (const size_t varies :
         {offsetof(Parameters, slot), offsetof(Parameters, firstPosition), offsetof(Parameters, promptLength),
          offsetof(Parameters, maxTokens), offsetof(Parameters, stopCount), offsetof(Parameters, tagBase),
          offsetof(Parameters, launch), offsetof(Parameters, prefillTokens), offsetof(Parameters, sampler),
          offsetof(Parameters, spinLimit), offsetof(Parameters, tokens), offsetof(Parameters, keys)}) {
        CHECK_MESSAGE(!offsets.contains(static_cast<uint32_t>(varies)), std::to_string(varies));
    }
}

/// What the compiler makes of the kernel's source has all of them in the form that is known, each once.
TEST(theShippedKernelsAreCompiledForAllOfThem) {
    const Parameters p = someParameters();
    const std::vector<KernelConstant> constants = kernelConstants(p);
    for (const char *file : {"monokernel.sm_80.ptx", "monokernel.sm_90.ptx"}) {
        const std::filesystem::path path = std::filesystem::path(MONOKERNEL_KERNELS) / file;
        if (!std::filesystem::exists(path)) {
            std::printf("skip %s: not built here\n", file);
            continue;
        }
        const std::string ptx = readKernelFile(path), text = withConstants(ptx, constants);
        for (const KernelConstant &constant : constants) {
            const std::string end = "[monokernel_param_0+" + std::to_string(constant.offset) + "];";
            CHECK_MESSAGE(occurrences(ptx, end) == 1 && occurrences(text, end) == 0, std::string(file) + " " + end);
        }
        CHECK(occurrences(text, "ld.param.u64") == occurrences(ptx, "ld.param.u64"));
    }
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
