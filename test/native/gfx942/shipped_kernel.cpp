#include "shipped_kernel.h"

#include <cmath>
#include <limits>

namespace gfx942 {

TranslatedExecutor::TranslatedExecutor(const std::filesystem::path &folder, const TranslationOptions &options)
    : TranslatedExecutor(folder, translatedDevices(1, options, 0)) {}

TranslatedExecutor::TranslatedExecutor(const std::filesystem::path &folder,
                                       std::vector<std::unique_ptr<TranslatedDriver>> translated,
                                       const ::monokernel::PageHomes &homes, u32 lanesADevice)
    : driver(translated.front().get()) {
    std::vector<std::unique_ptr<::monokernel::GpuDriver>> drivers;
    for (auto &one : translated) {
        drivers.push_back(std::move(one));
    }
    executor = ::monokernel::makeGpuExecutor(std::move(drivers), ::monokernel::Model::open(folder),
                                             {.kernelFolder = MONOKERNEL_KERNELS,
                                              .slots = 2,
                                              .contextLength = 128,
                                              .lanesADevice = lanesADevice,
                                              .pageHomes = homes},
                                             [](double) {});
}

std::vector<std::unique_ptr<TranslatedDriver>> translatedDevices(u32 count, TranslationOptions options,
                                                                 u64 longestDelay) {
    options.box = std::make_shared<Interconnect>(options.seed, longestDelay);
    std::vector<std::unique_ptr<TranslatedDriver>> devices;
    for (u32 i = 0; i < count; i++) {
        devices.push_back(std::make_unique<TranslatedDriver>(gfx942::monokernel::kernel, options));
        options.seed += options.seed != 0 ? 1000 : 0;
    }
    return devices;
}

namespace {

double deviation(const golden::Folder &expected) {
    double sum = 0, squares = 0, count = 0;
    for (const std::vector<double> &row : expected.logits) {
        for (const double value : row) {
            sum += value;
            squares += value * value;
            count++;
        }
    }
    return std::sqrt(squares / count - sum / count * sum / count);
}

} // namespace

double worstLogit(const std::vector<float> &logits, const golden::Folder &expected) {
    const double scale = deviation(expected);
    double worst = 0;
    size_t at = 0;
    for (const std::vector<double> &row : expected.logits) {
        for (const double value : row) {
            const double difference = std::abs(static_cast<double>(logits.at(at++)) - value) / scale;
            worst = difference <= worst      ? worst
                    : std::isnan(difference) ? std::numeric_limits<double>::infinity()
                                             : difference;
        }
    }
    return worst;
}

int firstWrongToken(const std::vector<int32_t> &tokens, const golden::Folder &expected) {
    const double tolerance = logitTolerance * deviation(expected);
    for (size_t i = 0; i < expected.greedy.size() && expected.margin[i] > 2 * tolerance; i++) {
        if (i >= tokens.size() || tokens[i] != expected.greedy[i]) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

} // namespace gfx942
