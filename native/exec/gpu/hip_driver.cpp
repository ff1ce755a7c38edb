#include "exec/gpu/hip_driver.h"

#include "exec/gpu/kernel_file.h"
#include "exec/gpu/shared_library.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace monokernel {

namespace {

// The part of the HIP runtime API (hip_runtime_api.h) that is used here; handles are opaque pointers, 0 is success.
using Status = int;
using Handle = void *;
constexpr Status success = 0, notReady = 600, alreadyEnabled = 704;
constexpr unsigned hostMapped = 2, portable = 1; ///< hipHostMalloc
constexpr unsigned hostCoherent = 0x40000000;
constexpr unsigned nonBlocking = 1;    ///< hipStreamCreateWithFlags
constexpr unsigned deviceUncached = 3; ///< hipExtMallocWithFlags; RCCL's choice for flags that peers write

constexpr std::array<const char *, 4> libraryNames{"libamdhip64.so", "libamdhip64.so.7", "libamdhip64.so.6",
                                                   "/opt/rocm/lib/libamdhip64.so"};

/// hipDeviceProp_t changes between versions; what is needed of it stands in attributes and in the architecture's name,
/// which is searched for in the struct's bytes.
constexpr int computeUnitCount = 63; ///< hipDeviceAttributeMultiprocessorCount
constexpr size_t propertyBytes = 8192;

/// The runtime, loaded once.
class Hip {
public:
    static const Hip &get() {
        static const Hip hip;
        return hip;
    }

    bool loaded() const { return static_cast<bool>(library_); }
    const std::string &why() const { return why_; }

    template <class... Arguments> Status call(const char *name, Arguments... arguments) const {
        return library_.function<Status(Arguments...)>(name)(arguments...);
    }

    std::string words(Status status) const {
        const char *text = library_.function<const char *(Status)>("hipGetErrorString")(status);
        return text != nullptr ? text : "error " + std::to_string(status);
    }

private:
    Hip() : library_(SharedLibrary::open(libraryNames, why_)) {
        if (library_) {
            if (const Status status = call("hipInit", 0u); status != success) {
                why_ = "hipInit failed: " + words(status);
                library_ = {};
            }
        }
    }

    std::string why_;
    SharedLibrary library_;
};

/// The architecture's name, for example "gfx942:sramecc+:xnack-".
std::string architecture(int device) {
    std::vector<char> properties(propertyBytes, '\0');
    if (Hip::get().call("hipGetDevicePropertiesR0600", static_cast<void *>(properties.data()), device) != success) {
        return {};
    }
    static constexpr char prefix[] = "gfx";
    const auto found = std::search(properties.begin(), properties.end(), prefix, prefix + 3);
    return found == properties.end() ? std::string() : std::string(&*found, strnlen(&*found, 256));
}

class HipDriver final : public GpuDriver {
public:
    explicit HipDriver(uint32_t index) {
        if (!Hip::get().loaded()) {
            throw ExecutionError("no HIP runtime: " + Hip::get().why());
        }
        std::string why;
        for (const GpuDevice &device : findHipDevices(why)) {
            if (device.index == index) {
                device_ = device;
            }
        }
        if (device_.target.empty()) {
            throw ExecutionError("HIP device " + std::to_string(index) + " is not usable: " + why);
        }
        enter();
        check("hipStreamCreateWithFlags", &stream_, nonBlocking);
    }

    HipDriver(const HipDriver &) = delete;
    HipDriver &operator=(const HipDriver &) = delete;

    ~HipDriver() override {
        const Hip &hip = Hip::get();
        hip.call("hipSetDevice", static_cast<int>(device_.index));
        if (stream_ != nullptr) {
            hip.call("hipStreamSynchronize", stream_);
            hip.call("hipStreamDestroy", stream_);
        }
        for (void *memory : allocations_) {
            hip.call("hipFree", memory);
        }
        for (void *memory : pinned_) {
            hip.call("hipHostFree", memory);
        }
        if (module_ != nullptr) {
            hip.call("hipModuleUnload", module_);
        }
    }

    const GpuDevice &device() const override { return device_; }

    uint64_t allocate(uint64_t bytes) override {
        enter();
        void *memory = nullptr;
        check("hipMalloc", &memory, static_cast<size_t>(bytes));
        allocations_.push_back(memory);
        return reinterpret_cast<uint64_t>(memory);
    }

    uint64_t allocateMailboxes(uint64_t bytes) override {
        enter();
        void *memory = nullptr;
        check("hipExtMallocWithFlags", &memory, static_cast<size_t>(bytes), deviceUncached);
        allocations_.push_back(memory);
        return reinterpret_cast<uint64_t>(memory);
    }

    void connect(GpuDriver &other) override {
        const int own = static_cast<int>(device_.index), peer = static_cast<int>(other.device().index);
        enter();
        int reachable = 0;
        check("hipDeviceCanAccessPeer", &reachable, own, peer);
        if (reachable == 0) {
            throw ExecutionError(device_.name + " (device " + std::to_string(own) +
                                 ") cannot reach the memory of device " + std::to_string(peer));
        }
        const Status status = Hip::get().call("hipDeviceEnablePeerAccess", peer, 0u);
        require("hipDeviceEnablePeerAccess", status == alreadyEnabled ? success : status);
    }

    PinnedMemory allocatePinned(uint64_t bytes) override {
        enter();
        void *host = nullptr, *device = nullptr;
        check("hipHostMalloc", &host, static_cast<size_t>(bytes), hostMapped | portable | hostCoherent);
        pinned_.push_back(host);
        check("hipHostGetDevicePointer", &device, host, 0u);
        std::fill_n(static_cast<std::byte *>(host), bytes, std::byte{0});
        return {static_cast<std::byte *>(host), reinterpret_cast<uint64_t>(device)};
    }

    void upload(uint64_t address, std::span<const std::byte> from) override {
        enter();
        check("hipMemcpyHtoD", reinterpret_cast<void *>(address),
              const_cast<void *>(static_cast<const void *>(from.data())), from.size());
    }

    void download(std::span<std::byte> to, uint64_t address) override {
        enter();
        check("hipMemcpyDtoH", static_cast<void *>(to.data()), reinterpret_cast<void *>(address), to.size());
    }

    void clear(uint64_t address, uint64_t bytes) override {
        enter();
        check("hipMemset", reinterpret_cast<void *>(address), 0, static_cast<size_t>(bytes));
        check("hipDeviceSynchronize");
    }

    void loadKernel(const std::filesystem::path &file, std::span<const KernelConstant>) override {
        enter();
        if (module_ != nullptr) {
            check("hipModuleUnload", std::exchange(module_, nullptr));
        }
        const std::string image = readKernelFile(file);
        const Status status = Hip::get().call("hipModuleLoadData", &module_, static_cast<const void *>(image.data()));
        if (status != success) {
            throw ExecutionError("the HIP runtime does not take " + file.string() + ": " + Hip::get().words(status));
        }
        check("hipModuleGetFunction", &function_, module_, "monokernel");
    }

    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        enter();
        std::array<void *, 1> arguments{const_cast<std::byte *>(parameters.data())};
        check("hipModuleLaunchCooperativeKernel", function_, workgroups, 1u, 1u, threads, 1u, 1u, sharedBytes, stream_,
              arguments.data());
    }

    bool finished() override {
        enter();
        const Status status = Hip::get().call("hipStreamQuery", stream_);
        if (status == notReady) {
            return false;
        }
        require("the GPU kernel", status);
        return true;
    }

private:
    void enter() { check("hipSetDevice", static_cast<int>(device_.index)); }

    template <class... Arguments> void check(const char *name, Arguments... arguments) {
        require(name, Hip::get().call(name, arguments...));
    }
    void require(const char *what, Status status) {
        if (status != success) {
            throw ExecutionError(std::string(what) + " failed on " + (device_.name.empty() ? "the GPU" : device_.name) +
                                 ": " + Hip::get().words(status));
        }
    }

    GpuDevice device_;
    Handle stream_ = nullptr, module_ = nullptr, function_ = nullptr;
    std::vector<void *> allocations_, pinned_;
};

} // namespace

std::vector<GpuDevice> findHipDevices(std::string &why) {
    std::vector<GpuDevice> devices;
    const Hip &hip = Hip::get();
    if (!hip.loaded()) {
        why += "HIP: " + hip.why() + "\n";
        return devices;
    }
    int count = 0, version = 0;
    hip.call("hipGetDeviceCount", &count);
    hip.call("hipDriverGetVersion", &version);
    for (int index = 0; index < count; index++) {
        std::array<char, 256> name{};
        size_t bytes = 0;
        int units = 0;
        hip.call("hipDeviceGetName", name.data(), static_cast<int>(name.size()), index);
        hip.call("hipDeviceTotalMem", &bytes, index);
        hip.call("hipDeviceGetAttribute", &units, computeUnitCount, index);
        const std::string kind = architecture(index);
        const std::string label =
            std::string("HIP: ") + name.data() + ", " + (kind.empty() ? "unknown architecture" : kind);
        if (!kind.starts_with("gfx942")) {
            why += label + ": not usable, the kernel is built for gfx942\n";
            continue;
        }
        why += label + ": usable\n";
        devices.push_back({"gfx942", name.data(), static_cast<uint32_t>(index), static_cast<uint32_t>(units), bytes,
                           std::to_string(version)});
    }
    for (GpuDevice &device : devices) {
        device.linked = devices.size() > 1; // xGMI joins each MI300X of a board with each other one
    }
    return devices;
}

std::unique_ptr<GpuDriver> openHipDriver(uint32_t index) { return std::make_unique<HipDriver>(index); }

} // namespace monokernel
