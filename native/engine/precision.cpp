#include "engine/precision.h"

#include <fstream>
#include <limits>
#include <sstream>

namespace monokernel {
namespace {

constexpr uint64_t megabyte = 1'000'000;
constexpr uint64_t mostBytesPerToken = 250 * megabyte;

std::string megabytes(uint64_t bytes) { return std::to_string((bytes + megabyte / 2) / megabyte) + " MB"; }

} // namespace

WeightSizes weightSizes(const Model &model) {
    const uint64_t all = model.weightBytes();
    return {all, all - (model.spec().tiedEmbeddings ? 0 : model.embedding().bytes.size())};
}

uint64_t availableMemory() {
    std::ifstream file("/proc/meminfo"); // Linux only
    for (std::string name; file >> name;) {
        uint64_t kibibytes = 0;
        if (name == "MemAvailable:" && file >> kibibytes) {
            return kibibytes * 1024;
        }
        file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return 0;
}

PrecisionChoice choosePrecision(Precision wanted, const WeightSizes &sizes, uint64_t availableMemory) {
    if (wanted != Precision::automatic) {
        const bool int8 = wanted == Precision::int8;
        return {int8, int8 ? "int8 was asked for" : "weights as stored were asked for"};
    }
    if (availableMemory != 0 && sizes.all > availableMemory / 2) {
        return {true, "int8: the weights as stored, " + megabytes(sizes.all) + ", would take more than half of the " +
                          megabytes(availableMemory) + " of available memory"};
    }
    const std::string reads = "a token reads " + megabytes(sizes.token) + " of weights as stored, ";
    const std::string limit = megabytes(mostBytesPerToken);
    return sizes.token > mostBytesPerToken ? PrecisionChoice{true, "int8: " + reads + "more than " + limit}
                                           : PrecisionChoice{false, "as stored: " + reads + "no more than " + limit};
}

} // namespace monokernel
