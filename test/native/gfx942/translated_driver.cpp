#include "translated_driver.h"

#include "code_object.h"

#include <cstring>
#include <new>

namespace gfx942 {

using monokernel::ExecutionError;

namespace {

constexpr u64 instructionsAlone = 100'000;                         ///< between two looks of the host
constexpr u32 slowestPace = 5, fastestPace = 14, longestPace = 40; ///< powers of two, turns

} // namespace

TranslatedDriver::TranslatedDriver(const TranslatedKernel &kernel, const TranslationOptions &options)
    : kernel_(kernel), options_(options), memory_(options.memoryBytes),
      box_(options.box != nullptr ? options.box : std::make_shared<Interconnect>()), number_(box_->join(memory_)),
      random_(static_cast<u32>(options.seed)), reached_(kernel.instructions.size()) {
    device_.target = "gfx942";
    device_.name = "translated gfx942";
    device_.index = number_;
    device_.computeUnits = options.computeUnits;
    device_.memoryBytes = options.memoryBytes;
}

TranslatedDriver::~TranslatedDriver() {
    launch_.reset();
    box_->leave(number_);
}

void TranslatedDriver::checkRange(uint64_t address, uint64_t bytes, const char *what) const {
    if (!memory_.contains(address, bytes)) {
        throw ExecutionError(std::string(what) + " outside every allocation");
    }
}

uint64_t TranslatedDriver::allocate(uint64_t bytes, MemoryKind kind) {
    try {
        return memory_.allocate(bytes, kind);
    } catch (const std::bad_alloc &) {
        throw ExecutionError("out of device memory");
    }
}

uint64_t TranslatedDriver::allocate(uint64_t bytes) { return allocate(bytes, MemoryKind::ordinary); }
uint64_t TranslatedDriver::allocateMailboxes(uint64_t bytes) { return allocate(bytes, MemoryKind::mailboxes); }

monokernel::PinnedMemory TranslatedDriver::allocatePinned(uint64_t bytes) {
    const uint64_t address = allocate(bytes, MemoryKind::pinned);
    memory_.markDefined(address, bytes);
    return {reinterpret_cast<std::byte *>(address), address};
}

void TranslatedDriver::connect(GpuDriver &other) {
    const auto *peer = dynamic_cast<const TranslatedDriver *>(&other);
    if (peer == nullptr || peer->box_ != box_) {
        throw ExecutionError("a translated device reaches only those of its own box");
    }
    box_->connect(number_, peer->number_);
}

void TranslatedDriver::upload(uint64_t address, std::span<const std::byte> from) {
    checkRange(address, from.size(), "upload");
    std::memcpy(reinterpret_cast<void *>(address), from.data(), from.size());
    memory_.markDefined(address, from.size());
}

void TranslatedDriver::download(std::span<std::byte> to, uint64_t address) {
    checkRange(address, to.size(), "download");
    if (memory_.firstUndefined(address, to.size()) != 0) {
        throw ExecutionError("download of memory that nobody has written");
    }
    std::memcpy(to.data(), reinterpret_cast<const void *>(address), to.size());
}

void TranslatedDriver::clear(uint64_t address, uint64_t bytes) {
    checkRange(address, bytes, "clear");
    std::memset(reinterpret_cast<void *>(address), 0, bytes);
    memory_.markDefined(address, bytes);
}

void TranslatedDriver::loadKernel(const std::filesystem::path &file, std::span<const ::monokernel::KernelConstant>) {
    const std::vector<std::byte> image = readCodeObject(file);
    if (imageHash(image) != kernel_.imageHash) {
        throw ExecutionError(file.string() + " is not the code object that was translated");
    }
    codeBase_ = loadSegments(image, memory_);
}

void TranslatedDriver::launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                              uint32_t sharedBytes) {
    if (parameters.size() != kernel_.kernargBytes) {
        throw ExecutionError("the kernel takes " + std::to_string(kernel_.kernargBytes) + " bytes of parameters, not " +
                             std::to_string(parameters.size()));
    }
    if (workgroups == 0 || workgroups > device_.computeUnits || sharedBytes + kernel_.staticLds > 65536) {
        throw ExecutionError("the launch does not fit the device");
    }
    if (parameters_ == 0) {
        parameters_ = allocate(parameters.size());
    }
    upload(parameters_, parameters);
    fault_.reset();
    workgroups_ = workgroups;
    launch_ = std::make_unique<Launch>(kernel_, *box_, number_, codeBase_, parameters_,
                                       LaunchOptions{.workgroups = workgroups,
                                                     .threads = threads,
                                                     .dynamicLds = sharedBytes,
                                                     .seed = options_.seed,
                                                     .slice = options_.slice,
                                                     .patches = options_.patches,
                                                     .reached = reached_,
                                                     .streamed = options_.streamed});
    options_.seed += options_.seed != 0 ? 1 : 0; // another schedule next time
}

u64 TranslatedDriver::instructionsThisTurn() {
    if (box_->size() == 1 || options_.seed == 0) {
        return instructionsAlone;
    }
    if (turnsAtPace_ == 0) {
        turnsAtPace_ = 1 + random_() % longestPace;
        pace_ = slowestPace + random_() % (fastestPace - slowestPace + 1);
    }
    turnsAtPace_--;
    return 1 + random_() % (1u << pace_);
}

bool TranslatedDriver::finished() {
    if (launch_ == nullptr) {
        return true;
    }
    try {
        const u64 before = launch_->executed();
        const bool done = launch_->step(instructionsThisTurn());
        executed_ += launch_->executed() - before;
        if (done) {
            launch_.reset();
        }
        return done;
    } catch (const ExecutionFault &found) {
        fault_ = found.kind;
        launch_.reset();
        throw ExecutionError(found.what());
    }
}

} // namespace gfx942
