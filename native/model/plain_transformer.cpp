#include "model/family.h"
#include "model/quote.h"

#include <algorithm>

namespace monokernel {

namespace {

void refuseWhenTrue(const ConfigObject &config, const char *member) {
    if (config.boolean(member, false)) {
        config.unsupported(member, "true is not supported");
    }
}

/// Qwen's windows: layers from `max_window_layers` on have one, and only if `use_sliding_window`.
void readQwenWindow(const ConfigObject &config, ModelSpec &spec) {
    if (!config.boolean("use_sliding_window", false)) {
        return;
    }
    const uint32_t full = std::min(config.count("max_window_layers", 0, 1u << 16), spec.layerCount);
    spec.slidingWindow = config.count("sliding_window", 1, 1u << 24);
    spec.slidingWindowLayers = static_cast<int32_t>(full) - static_cast<int32_t>(spec.layerCount);
}

/// Newer files also name each layer's attention; it must say the same as the window's own members.
void checkLayerTypes(const ConfigObject &config, const ModelSpec &spec) {
    const JsonValue *const types = config.find("layer_types");
    if (types == nullptr) {
        return;
    }
    if (types->array() == nullptr || types->array()->size() != spec.layerCount) {
        config.malformed("layer_types", "must be an array with one string a layer");
    }
    for (uint32_t layer = 0; layer < spec.layerCount; layer++) {
        const std::string *const type = (*types->array())[layer].string();
        const char *const expected = spec.window(layer) != 0 ? "sliding_attention" : "full_attention";
        if (type == nullptr || *type != expected) {
            config.unsupported("layer_types", "of layer " + std::to_string(layer) + " is not " + quote(expected) +
                                                  ", which the window's other members ask for");
        }
    }
}

} // namespace

void readPlainTransformer(const ConfigObject &config, ModelSpec &spec) {
    spec.ropePairs = RopePairs::halves;
    spec.qkvBias = spec.family == Family::qwen2;
    spec.qkNorm = spec.family == Family::qwen3;
    if (const std::string act = config.text("hidden_act", "silu"); act != "silu") {
        config.unsupported("hidden_act", quote(act) + " is not supported; silu is");
    }
    // Qwen2's q, k and v always have a bias whatever the file says; in the others it would come with an output bias.
    if (spec.family != Family::qwen2) {
        refuseWhenTrue(config, "attention_bias");
    }
    refuseWhenTrue(config, "mlp_bias");
    if (spec.family != Family::llama) {
        readQwenWindow(config, spec);
    }
    checkLayerTypes(config, spec);
}

} // namespace monokernel
