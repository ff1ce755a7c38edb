#include "test_kernel.h"

namespace gfx942 {

std::vector<std::byte> runKernel(const TranslatedKernel &kernel, u32 operation, std::span<const std::byte> input,
                                 size_t outputBytes, const LaunchOptions &options) {
    DeviceMemory memory(u64{1} << 26);
    Interconnect alone;
    const u32 device = alone.join(memory);
    const u64 in = memory.allocate(input.size()), out = memory.allocate(outputBytes);
    std::memcpy(reinterpret_cast<void *>(in), input.data(), input.size());
    memory.markDefined(in, input.size());
    memory.markDefined(out, outputBytes);
    const TestArguments arguments{operation, static_cast<u32>(outputBytes), in, out};
    const u64 parameters = memory.allocate(sizeof arguments);
    std::memcpy(reinterpret_cast<void *>(parameters), &arguments, sizeof arguments);
    memory.markDefined(parameters, sizeof arguments);
    Launch launch(kernel, alone, device, 0, parameters, options);
    while (!launch.step(100'000)) {
    }
    std::vector<std::byte> result(outputBytes);
    std::memcpy(result.data(), reinterpret_cast<const void *>(out), outputBytes);
    return result;
}

} // namespace gfx942
