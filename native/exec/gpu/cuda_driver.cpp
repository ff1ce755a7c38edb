#include "exec/gpu/cuda_driver.h"

#include "exec/gpu/kernel_file.h"
#include "exec/gpu/ptx_constants.h"
#include "exec/gpu/shared_library.h"

#include <algorithm>
#include <array>
#include <utility>

namespace monokernel {

namespace {

// The part of the CUDA driver API (cuda.h) that is used here; handles are opaque pointers, 0 is success.
using Status = int;
using Handle = void *;
constexpr Status success = 0, notReady = 600, alreadyEnabled = 704;
constexpr int computeUnitCount = 16, launchTimeout = 17, capabilityMajor = 75, capabilityMinor = 76,
              mostSharedBytes = 97;                  ///< CUdevice_attribute
constexpr int nativeAtomics = 3;                     ///< CUdevice_P2PAttribute: over NVLink, not over PCIe
constexpr int dynamicSharedBytes = 8;                ///< CUfunction_attribute
constexpr unsigned hostMapped = 2, portable = 1;     ///< cuMemHostAlloc
constexpr unsigned nonBlocking = 1;                  ///< cuStreamCreate
constexpr int jitErrorBuffer = 5, jitErrorBytes = 6; ///< CUjit_option

constexpr std::array<const char *, 2> libraryNames{"libcuda.so.1", "libcuda.so"};

/// The driver, loaded once.
class Cuda {
public:
    static const Cuda &get() {
        static const Cuda cuda;
        return cuda;
    }

    bool loaded() const { return static_cast<bool>(library_); }
    const std::string &why() const { return why_; }

    template <class... Arguments> Status call(const char *name, Arguments... arguments) const {
        return library_.function<Status(Arguments...)>(name)(arguments...);
    }

    std::string words(Status status) const {
        const char *text = nullptr;
        call("cuGetErrorString", status, &text);
        return text != nullptr ? text : "error " + std::to_string(status);
    }

private:
    Cuda() : library_(SharedLibrary::open(libraryNames, why_)) {
        if (library_) {
            if (const Status status = call("cuInit", 0u); status != success) {
                why_ = "cuInit failed: " + words(status);
                library_ = {};
            }
        }
    }

    std::string why_;
    SharedLibrary library_;
};

uint32_t attribute(int attribute, int device) {
    int value = 0;
    Cuda::get().call("cuDeviceGetAttribute", &value, attribute, device);
    return static_cast<uint32_t>(value);
}

/// The PTX for a compute capability: the driver compiles it for this and later ones. Where the kernel with the bulk
/// copy engine fits into the registers it is taken; for 12.0 (by ptxas 13.0) it is 116 bytes too large.
const char *kernelFor(uint32_t major) { return major >= 9 && major <= 11 ? "sm_90" : "sm_80"; }

/// Whether all devices of this one's name are joined to it by NVLink; false if there are none.
bool isLinked(const GpuDevice &device, std::span<const GpuDevice> devices) {
    bool others = false;
    for (const GpuDevice &other : devices) {
        if (other.index == device.index || other.name != device.name) {
            continue;
        }
        others = true;
        int from = 0, to = 0, atomics = 0;
        Cuda::get().call("cuDeviceGet", &from, static_cast<int>(device.index));
        Cuda::get().call("cuDeviceGet", &to, static_cast<int>(other.index));
        Cuda::get().call("cuDeviceGetP2PAttribute", &atomics, nativeAtomics, from, to);
        if (atomics == 0) {
            return false;
        }
    }
    return others;
}

class CudaDriver final : public GpuDriver {
public:
    explicit CudaDriver(uint32_t index) {
        if (!Cuda::get().loaded()) {
            throw ExecutionError("no CUDA driver: " + Cuda::get().why());
        }
        check("cuDeviceGet", &handle_, static_cast<int>(index));
        std::string why;
        for (const GpuDevice &device : findCudaDevices(why)) {
            if (device.index == index) {
                device_ = device;
            }
        }
        if (device_.target.empty()) {
            throw ExecutionError("CUDA device " + std::to_string(index) + " is not usable: " + why);
        }
        check("cuDevicePrimaryCtxRetain", &context_, handle_);
        enter();
        check("cuStreamCreate", &stream_, nonBlocking);
    }

    CudaDriver(const CudaDriver &) = delete;
    CudaDriver &operator=(const CudaDriver &) = delete;

    ~CudaDriver() override {
        const Cuda &cuda = Cuda::get();
        cuda.call("cuCtxSetCurrent", context_);
        if (stream_ != nullptr) {
            cuda.call("cuStreamSynchronize", stream_);
            cuda.call("cuStreamDestroy_v2", stream_);
        }
        for (const uint64_t address : allocations_) {
            cuda.call("cuMemFree_v2", address);
        }
        for (void *memory : pinned_) {
            cuda.call("cuMemFreeHost", memory);
        }
        if (module_ != nullptr) {
            cuda.call("cuModuleUnload", module_);
        }
        if (context_ != nullptr) {
            cuda.call("cuDevicePrimaryCtxRelease_v2", handle_);
        }
    }

    const GpuDevice &device() const override { return device_; }

    uint64_t allocate(uint64_t bytes) override {
        enter();
        uint64_t address = 0;
        check("cuMemAlloc_v2", &address, static_cast<size_t>(bytes));
        allocations_.push_back(address);
        return address;
    }

    uint64_t allocateMailboxes(uint64_t bytes) override { return allocate(bytes); }

    void connect(GpuDriver &other) override {
        auto &peer = dynamic_cast<CudaDriver &>(other);
        enter();
        int reachable = 0;
        check("cuDeviceCanAccessPeer", &reachable, handle_, peer.handle_);
        if (reachable == 0) {
            throw ExecutionError(device_.name + " (device " + std::to_string(device_.index) +
                                 ") cannot reach the memory of device " + std::to_string(peer.device_.index));
        }
        const Status status = Cuda::get().call("cuCtxEnablePeerAccess", peer.context_, 0u);
        require("cuCtxEnablePeerAccess", status == alreadyEnabled ? success : status);
    }

    PinnedMemory allocatePinned(uint64_t bytes) override {
        enter();
        void *host = nullptr;
        uint64_t device = 0;
        check("cuMemHostAlloc", &host, static_cast<size_t>(bytes), hostMapped | portable);
        pinned_.push_back(host);
        check("cuMemHostGetDevicePointer_v2", &device, host, 0u);
        std::fill_n(static_cast<std::byte *>(host), bytes, std::byte{0});
        return {static_cast<std::byte *>(host), device};
    }

    // On the launches' stream: a copy from pageable memory may return before it has landed, and the null stream orders
    // nothing on a non-blocking one.
    void upload(uint64_t address, std::span<const std::byte> from) override {
        enter();
        check("cuMemcpyHtoDAsync_v2", address, static_cast<const void *>(from.data()), from.size(), stream_);
        check("cuStreamSynchronize", stream_);
    }

    void download(std::span<std::byte> to, uint64_t address) override {
        enter();
        check("cuMemcpyDtoH_v2", static_cast<void *>(to.data()), address, to.size());
    }

    void clear(uint64_t address, uint64_t bytes) override {
        enter();
        check("cuMemsetD8_v2", address, static_cast<unsigned char>(0), static_cast<size_t>(bytes));
        check("cuCtxSynchronize");
    }

    void loadKernel(const std::filesystem::path &file, std::span<const KernelConstant> constants) override {
        enter();
        if (module_ != nullptr) {
            check("cuModuleUnload", std::exchange(module_, nullptr));
        }
        const std::string image = withConstants(readKernelFile(file), constants);
        std::string log(8192, '\0');
        std::array<int, 2> options{jitErrorBuffer, jitErrorBytes};
        std::array<void *, 2> values{log.data(), reinterpret_cast<void *>(log.size())};
        const Status status = Cuda::get().call("cuModuleLoadDataEx", &module_, static_cast<const void *>(image.c_str()),
                                               static_cast<unsigned>(options.size()), options.data(), values.data());
        if (status != success) {
            throw ExecutionError("the CUDA driver does not take " + file.string() + ": " + Cuda::get().words(status) +
                                 " " + log.c_str());
        }
        check("cuModuleGetFunction", &function_, module_, "monokernel");
    }

    void launch(std::span<const std::byte> parameters, uint32_t workgroups, uint32_t threads,
                uint32_t sharedBytes) override {
        enter();
        check("cuFuncSetAttribute", function_, dynamicSharedBytes, static_cast<int>(sharedBytes));
        std::array<void *, 1> arguments{const_cast<std::byte *>(parameters.data())};
        check("cuLaunchCooperativeKernel", function_, workgroups, 1u, 1u, threads, 1u, 1u, sharedBytes, stream_,
              arguments.data());
    }

    bool finished() override {
        enter();
        const Status status = Cuda::get().call("cuStreamQuery", stream_);
        if (status == notReady) {
            return false;
        }
        require("the GPU kernel", status);
        return true;
    }

private:
    /// Driver calls act on the calling thread's current context.
    void enter() { check("cuCtxSetCurrent", context_); }

    template <class... Arguments> void check(const char *name, Arguments... arguments) {
        require(name, Cuda::get().call(name, arguments...));
    }
    void require(const char *what, Status status) {
        if (status != success) {
            throw ExecutionError(std::string(what) + " failed on " + (device_.name.empty() ? "the GPU" : device_.name) +
                                 ": " + Cuda::get().words(status));
        }
    }

    GpuDevice device_;
    int handle_ = 0;
    Handle context_ = nullptr, stream_ = nullptr, module_ = nullptr, function_ = nullptr;
    std::vector<uint64_t> allocations_;
    std::vector<void *> pinned_;
};

} // namespace

std::vector<GpuDevice> findCudaDevices(std::string &why) {
    std::vector<GpuDevice> devices;
    const Cuda &cuda = Cuda::get();
    if (!cuda.loaded()) {
        why += "CUDA: " + cuda.why() + "\n";
        return devices;
    }
    int count = 0, version = 0;
    cuda.call("cuDeviceGetCount", &count);
    cuda.call("cuDriverGetVersion", &version);
    const std::string driver = std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
    for (int index = 0; index < count; index++) {
        int handle = 0;
        std::array<char, 256> name{};
        size_t bytes = 0;
        cuda.call("cuDeviceGet", &handle, index);
        cuda.call("cuDeviceGetName", name.data(), static_cast<int>(name.size()), handle);
        cuda.call("cuDeviceTotalMem_v2", &bytes, handle);
        const uint32_t major = attribute(capabilityMajor, handle), minor = attribute(capabilityMinor, handle);
        const std::string label = std::string("CUDA: ") + name.data() + ", compute capability " +
                                  std::to_string(major) + "." + std::to_string(minor);
        if (major < 8) {
            why += label + ": not usable, the kernel needs 8.0 or more\n";
            continue;
        }
        const bool watched = attribute(launchTimeout, handle) != 0;
        why += label + ": usable" +
               (watched ? ", in launches of a quarter of a second, as a display hangs on it" : "") + "\n";
        devices.push_back({.target = kernelFor(major),
                           .name = name.data(),
                           .index = static_cast<uint32_t>(index),
                           .computeUnits = attribute(computeUnitCount, handle),
                           .memoryBytes = bytes,
                           .driver = driver,
                           .sharedBytes = attribute(mostSharedBytes, handle),
                           .watched = watched});
    }
    for (GpuDevice &device : devices) {
        device.linked = isLinked(device, devices);
        if (device.linked) {
            why += "CUDA: device " + std::to_string(device.index) + " is joined to the others of its name by NVLink\n";
        }
    }
    return devices;
}

std::unique_ptr<GpuDriver> openCudaDriver(uint32_t index) { return std::make_unique<CudaDriver>(index); }

} // namespace monokernel
