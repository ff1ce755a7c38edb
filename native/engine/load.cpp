#include "engine/choose_executor.h"
#include "engine/engine.h"
#include "engine/serial_engine.h"

#include <stdexcept>
#include <utility>

namespace monokernel {
namespace {

void checkOptions(const EngineOptions &options, const ModelSpec &spec) {
    if (options.slots == 0) {
        throw std::invalid_argument("slots is 0; the engine needs at least one KV cache sequence");
    }
    if (options.contextLength > spec.maxPositions) {
        throw std::invalid_argument("contextLength is " + std::to_string(options.contextLength) +
                                    ", the model's limit is " + std::to_string(spec.maxPositions) +
                                    "; ask for at most that, or 0 for the limit");
    }
}

} // namespace

std::unique_ptr<Engine> Engine::load(const std::filesystem::path &folder, const EngineOptions &options,
                                     const std::function<void(double)> &progress) {
    const Model model = Model::open(folder);
    checkOptions(options, model.spec());
    ChosenExecutor chosen = chooseExecutor(model, options, progress ? progress : [](double) {});
    return makeSerialEngine(model.spec(), std::move(chosen.executor), std::move(chosen.reason),
                            std::move(chosen.precision));
}

} // namespace monokernel
