#include "model/rope.h"

#include "model/quote.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

namespace monokernel {

namespace {

using Frequencies = std::vector<double>;

constexpr double largestFactor = 1e6;

/// Radians a position of each rotated pair: theta^(-2i / headDim).
Frequencies plainFrequencies(double theta, uint32_t headDim) {
    Frequencies frequencies(headDim / 2);
    for (size_t i = 0; i < frequencies.size(); i++) {
        frequencies[i] = std::pow(theta, -2.0 * static_cast<double>(i) / headDim);
    }
    return frequencies;
}

/// "linear": positions divided by the factor.
void scaleLinear(const ConfigObject &scaling, Frequencies &frequencies) {
    const double factor = scaling.number("factor", 1.0, largestFactor);
    for (double &frequency : frequencies) {
        frequency /= factor;
    }
}

/// "llama3" (Llama 3.1): long wavelengths divided by the factor, short ones kept, a linear blend between.
void scaleLlama3(const ConfigObject &scaling, Frequencies &frequencies) {
    const double factor = scaling.number("factor", 1.0, largestFactor);
    const double low = scaling.number("low_freq_factor", 1e-6, largestFactor);
    const double high = scaling.number("high_freq_factor", 1e-6, largestFactor);
    const double context = scaling.count("original_max_position_embeddings", 1, 1u << 24);
    if (high <= low) {
        scaling.malformed("high_freq_factor", "must be greater than low_freq_factor");
    }
    for (double &frequency : frequencies) {
        const double turns = context * frequency / (2.0 * std::numbers::pi);
        const double keep = std::clamp((turns - low) / (high - low), 0.0, 1.0);
        frequency *= keep + (1.0 - keep) / factor;
    }
}

/// The attention factor that YaRN's cos and sin are scaled by.
double yarnScale(const ConfigObject &scaling, double factor) {
    const auto magnitude = [factor](double weight) {
        return factor <= 1.0 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
    };
    const double own = scaling.number("mscale", 0.0, largestFactor, 0.0);
    const double all = scaling.number("mscale_all_dim", 0.0, largestFactor, 0.0);
    const double usual = own > 0.0 && all > 0.0 ? magnitude(own) / magnitude(all) : magnitude(1.0);
    return scaling.number("attention_factor", 1e-6, largestFactor, usual);
}

/// "yarn" (Peng et al. 2023, arXiv 2309.00071, section 3.2): pairs that turn more than beta_fast times within the
/// original context keep their frequency, those below beta_slow are divided by the factor, a linear ramp between.
void scaleYarn(const ConfigObject &scaling, double theta, ModelSpec &spec, Frequencies &frequencies) {
    const double factor = scaling.number("factor", 1.0, largestFactor);
    const double context = scaling.count("original_max_position_embeddings", 1, 1u << 24, spec.maxPositions);
    const double fast = scaling.number("beta_fast", 1e-6, largestFactor, 32.0);
    const double slow = scaling.number("beta_slow", 1e-6, largestFactor, 1.0);
    const bool truncate = scaling.boolean("truncate", true);
    if (fast <= slow) {
        scaling.malformed("beta_fast", "must be greater than beta_slow");
    }
    const auto pairWithTurns = [&](double turns) {
        return spec.headDim * std::log(context / (turns * 2.0 * std::numbers::pi)) / (2.0 * std::log(theta));
    };
    double first = pairWithTurns(fast);
    double last = pairWithTurns(slow);
    if (truncate) {
        first = std::floor(first);
        last = std::ceil(last);
    }
    first = std::max(first, 0.0);
    last = std::min(last, spec.headDim - 1.0);
    last = std::max(last, first + 0.001);
    for (size_t i = 0; i < frequencies.size(); i++) {
        const double divide = std::clamp((static_cast<double>(i) - first) / (last - first), 0.0, 1.0);
        frequencies[i] *= (1.0 - divide) + divide / factor;
    }
    spec.ropeScale = static_cast<float>(yarnScale(scaling, factor));
}

void refuseUnsupported(const ConfigObject &config) {
    if (config.number("partial_rotary_factor", 0.0, 1.0, 1.0) != 1.0) {
        config.unsupported("partial_rotary_factor", "other than 1 is not supported");
    }
    if (config.has("full_attention") || config.has("sliding_attention")) {
        config.unsupported("full_attention", "and sliding_attention (frequencies by kind of layer) are not supported");
    }
}

std::optional<ConfigObject> ropeObject(const ConfigObject &config) {
    for (const char *const member : {"rope_parameters", "rope_scaling"}) {
        if (config.has(member)) {
            return config.object(member);
        }
    }
    return std::nullopt;
}

} // namespace

void readRope(const ConfigObject &config, ModelSpec &spec) {
    constexpr double usualTheta = 10000.0;
    const std::optional<ConfigObject> scaling = ropeObject(config);
    refuseUnsupported(config);
    const double outer = config.number("rope_theta", 1.0 + 1e-6, 1e12, usualTheta);
    const double theta = scaling ? scaling->number("rope_theta", 1.0 + 1e-6, 1e12, outer) : outer;
    Frequencies frequencies = plainFrequencies(theta, spec.headDim);
    if (scaling) {
        refuseUnsupported(*scaling);
        const char *const member = scaling->has("type") ? "type" : "rope_type";
        const std::string kind = scaling->text(member);
        if (kind == "linear") {
            scaleLinear(*scaling, frequencies);
        } else if (kind == "llama3") {
            scaleLlama3(*scaling, frequencies);
        } else if (kind == "yarn") {
            scaleYarn(*scaling, theta, spec, frequencies);
        } else if (kind != "default") {
            scaling->unsupported(member, quote(kind) + " is not supported; default, linear, llama3 and yarn are");
        }
    }
    spec.ropeInverseFrequency.assign(frequencies.begin(), frequencies.end());
}

} // namespace monokernel
