#include "binding/machine.h"

#include "exec/cpu/cpu_cores.h"
#include "exec/cpu/cpu_topology.h"
#ifdef MONOKERNEL_GPU
#include "exec/gpu/calibration_key.h"
#include "exec/gpu/gpu_executor.h"
#include "topology/device_shape.h"
#endif

#include <algorithm>
#include <iterator>
#include <span>
#include <vector>

namespace monokernel::binding {
namespace {

template <typename Number> void setNumber(Napi::Object &object, const char *name, Number value) {
    object.Set(name, Napi::Number::New(object.Env(), static_cast<double>(value)));
}

void setText(Napi::Object &object, const char *name, const std::string &value) {
    object.Set(name, Napi::String::New(object.Env(), value));
}

/// An array with one object for each item, filled in by `fill(object, item)`.
template <typename Items, typename Fill> Napi::Array arrayOf(Napi::Env env, const Items &items, Fill fill) {
    Napi::Array array = Napi::Array::New(env);
    for (const auto &item : items) {
        Napi::Object object = Napi::Object::New(env);
        fill(object, item);
        array.Set(array.Length(), object);
    }
    return array;
}

/// The cores of `workers` workers in their order, then the others that may be used.
std::vector<uint32_t> workersFirst(std::span<const uint32_t> workers, std::span<const uint32_t> usable) {
    const auto isOther = [&](uint32_t core) { return std::ranges::find(workers, core) == workers.end(); };
    std::vector<uint32_t> cores(workers.begin(), workers.end());
    std::ranges::copy_if(usable, std::back_inserter(cores), isOther);
    return cores;
}

void fillCore(Napi::Object &object, const cpu::CpuCore &core) {
    setNumber(object, "processor", core.processor);
    setNumber(object, "package", core.package);
    setNumber(object, "node", core.node);
    object.Set("used", Napi::Boolean::New(object.Env(), core.used));
}

void fillCache(Napi::Object &object, const cpu::CpuCache &cache) {
    setNumber(object, "level", cache.level);
    setText(object, "type", cache.type);
    setNumber(object, "bytes", cache.bytes);
    setNumber(object, "count", cache.count);
    setNumber(object, "sharedBy", cache.sharedBy);
}

} // namespace

Napi::Object cpuToJs(Napi::Env env, uint32_t workers) {
    const std::vector<uint32_t> usable = cpu::usableCores(), pinned = cpu::spreadOverCaches(usable, workers);
    const cpu::CpuTopology topology = cpu::readCpuTopology(workersFirst(pinned, usable));
    const auto fill = [&](Napi::Object &object, const cpu::CpuCore &core) {
        fillCore(object, core);
        if (core.used && core.place < pinned.size()) {
            setNumber(object, "worker", core.place);
        }
    };
    Napi::Object object = Napi::Object::New(env);
    setText(object, "name", topology.name);
    object.Set("cores", arrayOf(env, topology.cores, fill));
    object.Set("caches", arrayOf(env, topology.caches, fillCache));
    object.Set("nodes", arrayOf(env, topology.nodes, [](Napi::Object &node, const cpu::CpuNode &from) {
                   setNumber(node, "index", from.index);
                   setNumber(node, "memoryBytes", from.memoryBytes);
               }));
    return object;
}

#ifdef MONOKERNEL_GPU

namespace {

Napi::Object toJs(Napi::Env env, const Calibration &calibration) {
    Napi::Object object = Napi::Object::New(env);
    setNumber(object, "period", calibration.map.period());
    setNumber(object, "homes", calibration.map.homes());
    setNumber(object, "confidence", calibration.confidence);
    setNumber(object, "localNanoseconds", calibration.localNanoseconds);
    setNumber(object, "remoteNanoseconds", calibration.remoteNanoseconds);
    setNumber(object, "pages", calibration.pages);
    setText(object, "reason", calibration.reason);
    return object;
}

} // namespace

Napi::Array gpusToJs(Napi::Env env, std::string &reason) {
    return arrayOf(env, findGpuDevices(reason), [&](Napi::Object &object, const GpuDevice &device) {
        const DeviceShape shape = deviceShape(device.target, device.computeUnits);
        setText(object, "target", device.target);
        setText(object, "name", device.name);
        setText(object, "driver", device.driver);
        setNumber(object, "index", device.index);
        setNumber(object, "computeUnits", device.computeUnits);
        setNumber(object, "memoryBytes", device.memoryBytes);
        setNumber(object, "computeDies", shape.computeDies);
        setNumber(object, "homes", shape.homes);
        setNumber(object, "stacksPerHome", shape.stacksPerHome);
        if (const auto found = readCalibration(calibrationFolder(), calibrationKey(device), reason)) {
            object.Set("calibration", toJs(env, *found));
        }
    });
}

#else

Napi::Array gpusToJs(Napi::Env env, std::string &reason) {
    reason = "built without the GPU executor";
    return Napi::Array::New(env);
}

#endif

} // namespace monokernel::binding
