#pragma once

#include "translated_driver.h"

#include "cpu/golden_file.h"

#include <filesystem>
#include <memory>
#include <vector>

namespace gfx942 {

namespace monokernel {
extern const TranslatedKernel kernel; ///< of the code object that ships
}

/// The product's GPU executor on translated devices.
struct TranslatedExecutor {
    std::unique_ptr<::monokernel::Executor> executor;
    TranslatedDriver *driver; ///< the first device's, owned by the executor

    TranslatedExecutor(const std::filesystem::path &folder, const TranslationOptions &options);
    /// On the drivers of one box. `homes`: the map of their memory, and where an allocation begins in it.
    /// `lanesADevice`: as which a plain transformer is seen on each.
    TranslatedExecutor(const std::filesystem::path &folder, std::vector<std::unique_ptr<TranslatedDriver>> drivers,
                       const ::monokernel::PageHomes &homes = {}, u32 lanesADevice = 1);
};

/// Devices of a box of their own, which run by seeds of their own; between them stores take up to `longestDelay`
/// instructions of all devices.
std::vector<std::unique_ptr<TranslatedDriver>> translatedDevices(u32 count, TranslationOptions options,
                                                                 u64 longestDelay);

/// Logits may differ by this part of their standard deviation (activations are rounded to bf16 on the way).
constexpr double logitTolerance = 3e-2;

/// The largest difference of a logit from the golden ones, in standard deviations of these; NaN counts as infinite.
double worstLogit(const std::vector<float> &logits, const golden::Folder &expected);

/// Index of the first greedy token that differs although its margin exceeds the tolerance, or -1.
int firstWrongToken(const std::vector<int32_t> &tokens, const golden::Folder &expected);

} // namespace gfx942
