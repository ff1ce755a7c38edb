#include "reference_forward.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace monokernel;

namespace {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>; ///< one vector a token

double element(const TensorView &tensor, uint64_t index) {
    const std::byte *p = tensor.bytes.data() + index * dataTypeSize(tensor.type);
    if (tensor.type == DataType::f32) {
        float value;
        std::memcpy(&value, p, 4);
        return value;
    }
    uint16_t bits;
    std::memcpy(&bits, p, 2);
    if (tensor.type == DataType::bf16) {
        return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
    }
    const double fraction = bits & 0x3ff;
    const int exponent = bits >> 10 & 0x1f;
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// Rows [first, first + count) of a [rows, depth] tensor times x.
Vector product(const TensorView &tensor, uint64_t first, uint64_t count, const Vector &x) {
    Vector out(count);
    for (uint64_t row = 0; row < count; row++) {
        for (uint64_t k = 0; k < x.size(); k++) {
            out[row] += element(tensor, (first + row) * x.size() + k) * x[k];
        }
    }
    return out;
}

Vector norm(const Vector &x, const TensorView &weight, uint64_t firstWeight, double epsilon) {
    double sum = 0;
    for (const double value : x) {
        sum += value * value;
    }
    const double scale = 1 / std::sqrt(sum / static_cast<double>(x.size()) + epsilon);
    Vector out(x.size());
    for (size_t i = 0; i < x.size(); i++) {
        out[i] = x[i] * scale * element(weight, firstWeight + i);
    }
    return out;
}

class Reference {
public:
    explicit Reference(const Model &model) : model_(model), spec_(model.spec()) {}

    Rows run(const std::vector<int32_t> &tokens) {
        streams_.assign(spec_.laneCount, {});
        for (const int32_t token : tokens) {
            Vector x(spec_.hiddenSize);
            for (size_t i = 0; i < x.size(); i++) {
                x[i] = element(model_.embedding(), static_cast<uint64_t>(token) * x.size() + i);
            }
            for (Rows &stream : streams_) {
                stream.push_back(x);
            }
        }
        std::vector<std::vector<Rows>> attention, ffn;
        for (uint32_t layer = 0; layer < spec_.layerCount; layer++) {
            attention.push_back(perLane(layer, &Reference::attentionBlock));
            reduce(attention, layer);
            ffn.push_back(perLane(layer, &Reference::ffnBlock));
            reduce(ffn, layer);
        }
        Rows logits;
        for (size_t t = 0; t < tokens.size(); t++) {
            logits.push_back(head(t));
        }
        return logits;
    }

private:
    std::vector<Rows> perLane(uint32_t layer, Rows (Reference::*block)(uint32_t, uint32_t)) {
        std::vector<Rows> out;
        for (uint32_t lane = 0; lane < spec_.laneCount; lane++) {
            out.push_back((this->*block)(layer, lane));
        }
        return out;
    }

    Vector laneNorm(const Vector &x, const TensorView &weight, uint32_t lane) const {
        return norm(x, weight, weight.elementCount() > spec_.hiddenSize ? uint64_t{lane} * spec_.hiddenSize : 0,
                    spec_.normEpsilon);
    }

    void rotate(double *head, size_t position) const {
        const uint32_t half = spec_.headDim / 2;
        for (uint32_t i = 0; i < half; i++) {
            const bool interleaved = spec_.ropePairs == RopePairs::interleaved;
            double &a = head[interleaved ? 2 * i : i], &b = head[interleaved ? 2 * i + 1 : i + half];
            const double angle = static_cast<double>(position) * static_cast<double>(spec_.ropeInverseFrequency[i]);
            const double c = std::cos(angle) * static_cast<double>(spec_.ropeScale);
            const double s = std::sin(angle) * static_cast<double>(spec_.ropeScale);
            const double x = a, y = b;
            a = x * c - y * s;
            b = x * s + y * c;
        }
    }

    /// A lane's rows of q, k or v with all that is done to them before attention.
    Vector heads(const Vector &x, uint32_t lane, uint32_t count, const TensorView &weight, const TensorView &bias,
                 const TensorView *headNorm, bool rotated, size_t position) const {
        const uint64_t width = uint64_t{count} * spec_.headDim, first = lane * width;
        Vector out = product(weight, first, width, x);
        for (uint64_t i = 0; spec_.qkvBias && i < width; i++) {
            out[i] += element(bias, first + i);
        }
        for (uint32_t h = 0; h < count; h++) {
            const auto begin = out.begin() + h * spec_.headDim;
            if (headNorm != nullptr && spec_.qkNorm) {
                const Vector normed = norm({begin, begin + spec_.headDim}, *headNorm, 0, spec_.normEpsilon);
                std::copy(normed.begin(), normed.end(), begin);
            }
            if (rotated) {
                rotate(out.data() + h * spec_.headDim, position);
            }
        }
        return out;
    }

    Rows attentionBlock(uint32_t layer, uint32_t lane) {
        const LayerTensors &w = model_.layers()[layer];
        const uint32_t queries = spec_.headsPerLane(), keys = spec_.kvHeadsPerLane(), dim = spec_.headDim;
        Rows q, k, v, out;
        for (size_t t = 0; t < streams_[lane].size(); t++) {
            const Vector x = laneNorm(streams_[lane][t], w.attentionNorm, lane);
            q.push_back(heads(x, lane, queries, w.query, w.queryBias, &w.queryNorm, true, t));
            k.push_back(heads(x, lane, keys, w.key, w.keyBias, &w.keyNorm, true, t));
            v.push_back(heads(x, lane, keys, w.value, w.valueBias, nullptr, false, t));
        }
        const uint32_t window = spec_.window(layer);
        for (size_t t = 0; t < q.size(); t++) {
            Vector merged(size_t{queries} * dim);
            for (uint32_t h = 0; h < queries; h++) {
                const uint32_t kv = h / (queries / keys);
                Vector weights(t + 1);
                double sum = 0;
                for (size_t s = 0; s <= t; s++) {
                    double score = 0;
                    for (uint32_t d = 0; d < dim; d++) {
                        score += q[t][h * dim + d] * k[s][kv * dim + d];
                    }
                    const bool seen = window == 0 || t - s < window;
                    weights[s] = seen ? std::exp(score / std::sqrt(static_cast<double>(dim))) : 0;
                    sum += weights[s];
                }
                for (size_t s = 0; s <= t; s++) {
                    for (uint32_t d = 0; d < dim; d++) {
                        merged[h * dim + d] += weights[s] / sum * v[s][kv * dim + d];
                    }
                }
            }
            out.push_back(product(w.output, uint64_t{lane} * spec_.hiddenSize, spec_.hiddenSize, merged));
        }
        return out;
    }

    Rows ffnBlock(uint32_t layer, uint32_t lane) {
        const LayerTensors &w = model_.layers()[layer];
        const uint32_t width = spec_.ffnPerLane();
        Rows out;
        for (const Vector &row : streams_[lane]) {
            const Vector x = laneNorm(row, w.ffnNorm, lane);
            Vector gate = product(w.gate, uint64_t{lane} * width, width, x);
            const Vector up = product(w.up, uint64_t{lane} * width, width, x);
            for (uint32_t i = 0; i < width; i++) {
                gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
            }
            out.push_back(product(w.down, uint64_t{lane} * spec_.hiddenSize, spec_.hiddenSize, gate));
        }
        return out;
    }

    void reduce(const std::vector<std::vector<Rows>> &partials, uint32_t layer) {
        const LaneReduction reduction = spec_.reduction(layer);
        for (uint32_t lane = 0; lane < spec_.laneCount; lane++) {
            for (size_t t = 0; t < streams_[lane].size(); t++) {
                for (uint32_t i = 0; i < spec_.hiddenSize; i++) {
                    double sum = partials[layer][lane][t][i];
                    if (reduction == LaneReduction::scaledOwn) {
                        sum *= std::sqrt(static_cast<double>(spec_.laneCount));
                    } else {
                        const uint32_t from = reduction == LaneReduction::past ? layer - spec_.broadcastDelay : layer;
                        for (uint32_t other = 0; other < spec_.laneCount; other++) {
                            sum += other == lane ? 0 : partials[from][other][t][i];
                        }
                    }
                    streams_[lane][t][i] += sum;
                }
            }
        }
    }

    Vector head(size_t t) const {
        const uint32_t lanes = spec_.laneCount;
        if (spec_.headType == HeadType::vocabularyParallel) {
            const uint32_t width = spec_.vocabularySize / lanes;
            Vector out;
            for (uint32_t lane = 0; lane < lanes; lane++) {
                const Vector part = product(model_.head(), uint64_t{lane} * width, width,
                                            laneNorm(streams_[lane][t], model_.finalNorm(), lane));
                out.insert(out.end(), part.begin(), part.end());
            }
            return out;
        }
        Vector x(spec_.hiddenSize);
        for (uint32_t lane = 0; lane < lanes; lane++) {
            const Vector row = spec_.preNormLaneAggregation ? streams_[lane][t]
                                                            : laneNorm(streams_[lane][t], model_.finalNorm(), lane);
            for (size_t i = 0; i < x.size(); i++) {
                x[i] += spec_.preNormLaneAggregation ? row[i] : row[i] / lanes;
            }
        }
        if (spec_.preNormLaneAggregation) {
            x = norm(x, model_.finalNorm(), 0, spec_.normEpsilon);
        }
        return product(model_.head(), 0, spec_.vocabularySize, x);
    }

    const Model &model_;
    const ModelSpec &spec_;
    std::vector<Rows> streams_; ///< of each lane
};

} // namespace

std::vector<std::vector<double>> referenceForward(const Model &model, const std::vector<int32_t> &tokens) {
    return Reference(model).run(tokens);
}

double typicalDifference(const std::vector<float> &logits, const std::vector<std::vector<double>> &expected) {
    double differences = 0, sizes = 0;
    size_t at = 0;
    for (const std::vector<double> &row : expected) {
        for (const double value : row) {
            const double difference = static_cast<double>(logits.at(at++)) - value;
            differences += difference * difference;
            sizes += value * value;
        }
    }
    return std::sqrt(differences / sizes);
}
