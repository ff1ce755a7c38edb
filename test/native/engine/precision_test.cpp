#include "../check.h"
#include "engine/precision.h"

using namespace monokernel;

namespace {

constexpr uint64_t megabyte = 1'000'000, plenty = 64'000 * megabyte;

bool automatic(const WeightSizes &sizes, uint64_t memory) {
    return choosePrecision(Precision::automatic, sizes, memory).int8;
}

} // namespace

TEST(precision_that_is_asked_for_is_taken) {
    const WeightSizes large{5'000 * megabyte, 5'000 * megabyte}, small{megabyte, megabyte};
    CHECK(!choosePrecision(Precision::stored, large, 100 * megabyte).int8);
    CHECK(choosePrecision(Precision::int8, small, plenty).int8);
    CHECK(!choosePrecision(Precision::stored, large, 0).reason.empty());
}

TEST(precision_is_int8_by_itself_where_a_token_reads_much) {
    CHECK(!automatic({250 * megabyte, 250 * megabyte}, plenty));
    CHECK(automatic({251 * megabyte, 251 * megabyte}, plenty));
    CHECK(!automatic({400 * megabyte, 200 * megabyte}, plenty));
    CHECK(!automatic({400 * megabyte, 200 * megabyte}, 0)); // nothing known of the memory
}

TEST(precision_is_int8_by_itself_where_memory_is_short) {
    CHECK(automatic({100 * megabyte, 100 * megabyte}, 199 * megabyte));
    CHECK(!automatic({100 * megabyte, 100 * megabyte}, 200 * megabyte));
}

TEST(precision_reasons_name_the_sizes) {
    const std::string reads = choosePrecision(Precision::automatic, {440 * megabyte, 440 * megabyte}, plenty).reason;
    CHECK_MESSAGE(reads.find("int8") == 0 && reads.find("440 MB") != std::string::npos, reads);
    const std::string stored = choosePrecision(Precision::automatic, {85 * megabyte, 85 * megabyte}, plenty).reason;
    CHECK_MESSAGE(stored.find("as stored") == 0 && stored.find("85 MB") != std::string::npos, stored);
}

TEST(available_memory_is_known_on_linux) {
#ifdef __linux__
    CHECK(availableMemory() > megabyte);
#endif
}
