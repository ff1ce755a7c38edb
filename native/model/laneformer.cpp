#include "model/family.h"
#include "model/quote.h"

#include <algorithm>

namespace monokernel {

namespace {

void readHead(const ConfigObject &config, ModelSpec &spec) {
    const std::string head = config.text("lm_head_type");
    if (head == "vocab_parallel") {
        spec.headType = HeadType::vocabularyParallel;
    } else if (head != "replicate") {
        config.unsupported("lm_head_type", quote(head) + " is not supported; replicate and vocab_parallel are");
    }
    spec.preNormLaneAggregation = config.boolean("pre_norm_lane_agg");
    if (spec.preNormLaneAggregation && spec.headType == HeadType::vocabularyParallel) {
        config.unsupported("pre_norm_lane_agg", "together with lm_head_type vocab_parallel is not supported");
    }
    if (spec.headType == HeadType::vocabularyParallel && spec.vocabularySize % spec.laneCount != 0) {
        config.malformed("vocab_size", "must be a multiple of num_lanes when lm_head_type is vocab_parallel");
    }
}

void readWindow(const ConfigObject &config, ModelSpec &spec) {
    constexpr int64_t most = 1 << 16;
    spec.slidingWindow = config.count("sliding_window", 0, 1u << 24, 0);
    spec.slidingWindowLayers = static_cast<int32_t>(config.integer("sliding_window_n_layers", -most, most, 0));
}

} // namespace

void readLaneformer(const ConfigObject &config, ModelSpec &spec) {
    spec.ropePairs = RopePairs::interleaved;
    spec.laneCount = config.count("num_lanes", 1, 1024);
    // A delay beyond the last layer broadcasts nothing, like one that ends with it.
    spec.broadcastDelay = std::min(config.count("broadcast_delay", 0, 1u << 16), spec.layerCount);
    spec.useComm = config.boolean("use_comm");
    spec.useEarlyComm = config.boolean("use_early_comm");
    spec.perLaneNorm = !config.boolean("replicated_rmsn_scale");
    readHead(config, spec);
    readWindow(config, spec);
    if (spec.headCount % spec.laneCount != 0) {
        config.malformed("num_attention_heads", "must be a multiple of num_lanes");
    }
    if (spec.kvHeadCount % spec.laneCount != 0) {
        config.malformed("num_key_value_heads", "must be a multiple of num_lanes");
    }
    if (spec.ffnSize % spec.laneCount != 0) {
        config.malformed("intermediate_size", "must be a multiple of num_lanes");
    }
}

} // namespace monokernel
