// The 16 bits of the tag that packed words carry are not used twice without clearing the edges in between.

#include "../../../bench/gpu/forwarding_driver.h"
#include "check.h"
#include "golden_agreement.h"
#include "host_driver.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace monokernel;

namespace {

struct Launch {
    uint64_t firstTag, lastTag; ///< the last one that it may use
    bool afterClearing;         ///< the edges have been cleared since the launch before
};

/// A device that notes what each launch may use of the tags.
class TagDriver final : public bench::ForwardingDriver {
public:
    TagDriver(std::unique_ptr<GpuDriver> driver, std::vector<Launch> &launches)
        : ForwardingDriver(std::move(driver)), launches_(launches) {}

    void clear(uint64_t address, uint64_t bytes) override {
        cleared_ = true;
        ForwardingDriver::clear(address, bytes);
    }
    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        kernel::Parameters p;
        std::memcpy(&p, parameters.data(), sizeof p);
        const uint64_t steps = uint64_t{p.promptLength} - p.firstPosition + p.maxTokens;
        launches_.push_back({p.tagBase, p.tagBase + steps, cleared_});
        cleared_ = false;
        ForwardingDriver::launch(parameters, workgroups, threads, sharedBytes);
    }

private:
    std::vector<Launch> &launches_;
    bool cleared_ = false;
};

/// A copy of a golden checkpoint with a longer context.
std::filesystem::path withContext(const std::string &name, uint32_t positions) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("monokernel-context-" + name);
    std::filesystem::remove_all(folder);
    std::filesystem::copy(std::filesystem::path(MONOKERNEL_GOLDEN) / name, folder);
    std::ifstream in(folder / "config.json");
    std::string config((std::istreambuf_iterator<char>(in)), {});
    const std::string key = "\"max_position_embeddings\": ";
    const size_t at = config.find(key) + key.size();
    config.replace(at, config.find_first_not_of("0123456789", at) - at, std::to_string(positions));
    std::ofstream(folder / "config.json") << config;
    return folder;
}

} // namespace

/// Requests that may take many steps and end at their first token, until all tags have been handed out twice. Nothing
/// of an earlier request with the same tags is taken for a new one's: neither words nor tokens.
TEST(edgesAreClearedBeforeTagsComeAgain) {
    constexpr uint32_t mostTokens = 20000;
    const std::filesystem::path folder = withContext("llama", mostTokens + 100);
    std::vector<Launch> launches;
    const auto executor =
        makeGpuExecutor(std::make_unique<TagDriver>(makeHostDriver(1, 3), launches), Model::open(folder),
                        {.kernelFolder = {}, .slots = 1, .contextLength = 0}, {});
    const std::vector<int32_t> prompt{1};
    const golden::Output first = golden::run(*executor, golden::greedyJob(prompt, 2));
    SequenceJob job = golden::greedyJob(prompt, mostTokens);
    job.stopTokens = std::span(first.tokens).last(1);
    for (int run = 0; run < 7; run++) {
        const golden::Output output = golden::run(*executor, job);
        CHECK(output.tokens == std::vector<int32_t>(1, first.tokens.front()));
    }
    uint64_t last = 0;
    uint32_t restarts = 0;
    for (const Launch &launch : launches) {
        const bool restart = launch.firstTag <= last;
        restarts += restart ? 1 : 0;
        CHECK(launch.firstTag > 0 && launch.lastTag <= 0xffff && (!restart || launch.afterClearing));
        last = launch.lastTag;
    }
    CHECK_MESSAGE(launches.size() == 8 && restarts == 2, std::to_string(restarts) + " restarts");
    std::filesystem::remove_all(folder);
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
