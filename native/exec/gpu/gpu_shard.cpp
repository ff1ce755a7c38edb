#include "exec/gpu/gpu_shard.h"

#include <atomic>
#include <bit>
#include <cstring>
#include <vector>

namespace monokernel {

namespace {

using kernel::Result;

/// Of the pinned memory, which begins with the Result.
constexpr uint64_t cancelOffset = 64, ringOffset = 128, ringEntryBytes = 16;
static_assert(sizeof(Result) <= cancelOffset);

template <class T> T readPinned(const std::byte *at) {
    return std::atomic_ref<const T>(*reinterpret_cast<const T *>(at)).load(std::memory_order_acquire);
}

} // namespace

template <class Call> auto GpuShard::named(Call call) const {
    try {
        return call();
    } catch (const ExecutionError &error) {
        if (parameters_.devices == 1) {
            throw;
        }
        throw ExecutionError(name() + ": " + error.what());
    }
}

GpuShard::GpuShard(std::unique_ptr<GpuDriver> driver, const GpuLayout &layout, uint32_t index,
                   const GpuOptions &options)
    : driver_(std::move(driver)), layout_(layout), parameters_(parametersOf(layout, index)) {
    named([&] {
        const uint64_t page = kernel::pageBytes;
        const uint64_t own = (driver_->allocate(layout.ownBytes + page) + page - 1) / page * page;
        if (!layout.pageMap.isIdentity()) {
            pageMap_ = options.pageHomes.locate(*driver_, own, layout.weightBytes); // by a kernel of its own
        }
        driver_->loadKernel(options.kernelFolder / layout.target.file, kernelConstants(parameters_));
        const uint64_t mailboxes = parameters_.devices == 1 ? driver_->allocate(layout.mailboxBytes)
                                                            : driver_->allocateMailboxes(layout.mailboxBytes);
        rebase(parameters_, own, mailboxes);
        pinned_ = driver_->allocatePinned(ringOffset + (layout.tokenCapacity + 1) * ringEntryBytes);
    });
    parameters_.result = pinned_.device;
    parameters_.cancel = pinned_.device + cancelOffset;
    parameters_.ring = pinned_.device + ringOffset;
}

void GpuShard::connect(std::span<const GpuShard> shards) {
    std::vector<uint64_t> peers{0};
    for (size_t i = 1; i < shards.size(); i++) {
        const GpuShard &other = shards[(parameters_.device + i) % shards.size()];
        named([&] { driver_->connect(*other.driver_); });
        peers.push_back(other.parameters_.abort - parameters_.abort);
    }
    upload(parameters_.peers, std::as_bytes(std::span(peers)));
}

std::string GpuShard::name() const {
    const GpuDevice &device = driver_->device();
    return parameters_.devices == 1 ? device.name : device.name + " (device " + std::to_string(device.index) + ")";
}

void GpuShard::upload(uint64_t address, std::span<const std::byte> from) {
    named([&] { driver_->upload(address, from); });
}

void GpuShard::download(std::span<std::byte> to, uint64_t address) {
    named([&] { driver_->download(to, address); });
}

void GpuShard::clearEdges() {
    named([&] {
        driver_->clear(parameters_.tickets, layout_.edgesEnd - layout_.edgesBegin);
        driver_->clear(parameters_.abort, layout_.mailboxEdgesEnd);
    });
    // Tags begin anew: what an earlier request left must not fit a new one.
    std::memset(pinned_.host, 0, sizeof(Result));
    std::memset(pinned_.host + ringOffset, 0, (layout_.tokenCapacity + 1) * ringEntryBytes);
}

void GpuShard::launch(const GpuRequest &request, uint32_t tagBase, uint32_t launch) {
    kernel::Parameters p = parameters_;
    p.slot = request.slot;
    p.firstPosition = request.firstPosition;
    p.promptLength = request.promptLength;
    p.maxTokens = request.maxTokens;
    p.stopCount = request.stopCount;
    p.prefillTokens = request.stepWidth;
    p.wanted = request.logits ? p.wanted : 0;
    p.sampler = request.sampler;
    p.tagBase = tagBase;
    p.launch = launch;
    say(kernel::cancelNothing);
    named([&] {
        driver_->launch(std::as_bytes(std::span(&p, 1)), p.workgroups, layout_.target.threads, layout_.sharedBytes);
    });
    running_ = true;
}

bool GpuShard::running() {
    if (running_) {
        running_ = false; // also if the driver throws: there is nothing more to wait for
        running_ = !named([&] { return driver_->finished(); });
    }
    return running_;
}

void GpuShard::say(kernel::Cancel word) {
    std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t *>(pinned_.host + cancelOffset))
        .store(word, std::memory_order_release);
}

bool GpuShard::readToken(uint32_t tagBase, uint32_t index, GeneratedToken &token) const {
    const std::byte *entry = pinned_.host + ringOffset + index * ringEntryBytes;
    const auto id = readPinned<uint64_t>(entry), logprob = readPinned<uint64_t>(entry + 8);
    if (id >> 32 != tagBase || logprob >> 32 != tagBase) {
        return false;
    }
    token = {static_cast<int32_t>(id), std::bit_cast<float>(static_cast<uint32_t>(logprob))};
    return true;
}

bool GpuShard::readResult(uint32_t tagBase, Result &result) const {
    std::memcpy(&result, pinned_.host, sizeof result);
    return result.finishedTag == tagBase;
}

uint64_t GpuShard::readAbort() {
    uint64_t abort = 0;
    download(std::as_writable_bytes(std::span(&abort, 1)), parameters_.abort);
    return abort;
}

} // namespace monokernel
