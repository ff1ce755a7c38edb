#include "exec/gpu/weight_upload.h"

#include "exec/gpu/matrix_packing.h"
#include "exec/gpu/weight_placement.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace monokernel {

namespace {

using kernel::PackedMatrix;
using kernel::Parameters;

float halfToFloat(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16, exponent = (half >> 10) & 31,
                   fraction = half & 1023;
    if (exponent == 31) {
        return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
    }
    if (exponent == 0) {
        const float value = static_cast<float>(fraction) * 0x1p-24f;
        return sign != 0 ? -value : value;
    }
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

float elementAsFloat(const TensorView &tensor, uint64_t index) {
    if (tensor.type == DataType::f32) {
        float value;
        std::memcpy(&value, tensor.bytes.data() + index * 4, 4);
        return value;
    }
    uint16_t bits;
    std::memcpy(&bits, tensor.bytes.data() + index * 2, 2);
    return tensor.type == DataType::bf16 ? std::bit_cast<float>(static_cast<uint32_t>(bits) << 16) : halfToFloat(bits);
}

std::vector<float> asFloats(const TensorView &tensor) {
    std::vector<float> values(tensor.elementCount());
    for (uint64_t i = 0; i < values.size(); i++) {
        values[i] = elementAsFloat(tensor, i);
    }
    return values;
}

/// Rows of a tensor as bf16, or `depth` neighbouring columns of them; converts others where no precision is lost.
class Bf16Rows {
public:
    /// Of a tensor whose rows are `columns` long; 0: as long as what is taken of them.
    Bf16Rows(const TensorView &tensor, uint32_t depth, uint32_t columns = 0)
        : tensor_(tensor), depth_(depth), columns_(columns == 0 ? depth : columns), row_(depth) {}

    std::span<const uint16_t> operator()(uint64_t row, uint32_t firstColumn = 0) {
        const uint64_t at = row * columns_ + firstColumn;
        for (uint32_t i = 0; i < depth_ && tensor_.type != DataType::bf16; i++) {
            const uint32_t bits = std::bit_cast<uint32_t>(elementAsFloat(tensor_, at + i));
            if ((bits & 0xffffu) != 0) {
                throw ExecutionError(
                    "the GPU engine computes with bf16 weights, and this model's f16 or f32 weights do not fit "
                    "into bf16 exactly; use the CPU engine or convert the model to bf16");
            }
            row_[i] = static_cast<uint16_t>(bits >> 16);
        }
        if (tensor_.type == DataType::bf16) {
            std::memcpy(row_.data(), tensor_.bytes.data() + at * 2, depth_ * 2ull);
        }
        return row_;
    }

private:
    const TensorView &tensor_;
    uint32_t depth_, columns_;
    std::vector<uint16_t> row_;
};

class Upload {
public:
    Upload(GpuShard &shard, const GpuLayout &layout, const Model &model, const std::function<void(double)> &progress)
        : shard_(shard), layout_(layout), p_(shard.parameters()), model_(model), progress_(progress) {}

    void run() {
        for (uint32_t layer = 0; layer < p_.layers; layer++) {
            uploadLayer(layer);
        }
        uploadHead();
        uploadEmbedding();
        uploadNorms();
        uploadHeadVectors();
        uploadRope();
        report(1.0);
    }

private:
    using LaneRow = std::function<std::span<const uint16_t>(uint32_t lane, uint32_t row)>;

    void report(double fraction) {
        if (progress_) {
            progress_(fraction);
        }
    }

    /// The parts of the members from `firstMember` on; row(lane, r) gets lanes counted over all devices.
    void uploadMatrix(kernel::Matrix matrix, uint32_t layer, uint32_t lanes, uint32_t firstMember, uint32_t members,
                      const LaneRow &row) {
        const PackedMatrix &m = p_.matrices[matrix];
        const auto pack = [&](uint32_t lane, uint32_t member, std::span<std::byte> to) {
            packMember(
                layout_.target, m, firstMember + member, [&](uint32_t r) { return row(p_.firstLane + lane, r); }, to);
        };
        if (layout_.target.paged) {
            uploadPagedParts(matrix, layer, members, pack);
        } else {
            uploadParts(m, layer, lanes, members, pack);
        }
    }

    /// pack(lane, member, to) gives a part.
    template <class Pack>
    void uploadParts(const PackedMatrix &m, uint32_t layer, uint32_t lanes, uint32_t members, const Pack &pack) {
        const uint64_t bytes = memberBytes(layout_.target, m);
        std::vector<std::byte> packed(bytes * members);
        for (uint32_t lane = 0; lane < lanes; lane++) {
            for (uint32_t member = 0; member < members; member++) {
                pack(lane, member, std::span(packed).subspan(member * bytes, bytes));
            }
            shard_.upload(m.tiles + layer * m.layerBytes + lane * packed.size(), packed);
            countUploaded(packed.size());
        }
    }

    /// Likewise; the layer's memory goes up at once, with its page numbers.
    template <class Pack>
    void uploadPagedParts(kernel::Matrix matrix, uint32_t layer, uint32_t members, const Pack &pack) {
        const PackedMatrix &m = p_.matrices[matrix];
        const std::vector<uint32_t> pages = placeLayer(p_, matrix, layer, shard_.pageMap());
        const uint64_t address = m.tiles + layer * m.layerBytes;
        const uint64_t first = (address - p_.weights) / kernel::pageBytes, bytes = memberBytes(layout_.target, m);
        std::vector<std::byte> memory(m.layerBytes), part(uint64_t{m.partPages} * kernel::pageBytes);
        for (uint32_t i = 0; i < partsOf(p_, matrix); i++) {
            pack(i / members, i % members, std::span(part).first(bytes));
            for (uint32_t page = 0; page < m.partPages; page++) {
                const uint64_t at = pages[uint64_t{i} * m.partPages + page] - first;
                std::memcpy(memory.data() + at * kernel::pageBytes, part.data() + page * uint64_t{kernel::pageBytes},
                            kernel::pageBytes);
            }
        }
        shard_.upload(address, memory);
        shard_.upload(m.pages + layer * pages.size() * sizeof(uint32_t), std::as_bytes(std::span(pages)));
        countUploaded(memory.size());
    }

    void countUploaded(uint64_t bytes) {
        uploaded_ += bytes;
        report(static_cast<double>(uploaded_) / static_cast<double>(layout_.weightBytes) * 0.95);
    }

    void uploadLaneMatrix(kernel::Matrix matrix, uint32_t layer, const LaneRow &row) {
        uploadMatrix(matrix, layer, p_.lanes, 0, p_.members, row);
    }

    void uploadLayer(uint32_t layer) {
        const LayerTensors &t = model_.layers()[layer];
        const uint32_t queryRows = p_.laneHeads * p_.headDim, keyRows = p_.laneKvHeads * p_.headDim;
        Bf16Rows query(t.query, p_.hidden), key(t.key, p_.hidden), value(t.value, p_.hidden);
        uploadLaneMatrix(kernel::matrixQkv, layer, [&](uint32_t lane, uint32_t r) {
            if (r < queryRows) {
                return query(uint64_t{lane} * queryRows + r);
            }
            r -= queryRows;
            return r < keyRows ? key(uint64_t{lane} * keyRows + r) : value(uint64_t{lane} * keyRows + r - keyRows);
        });
        Bf16Rows gate(t.gate, p_.hidden), up(t.up, p_.hidden);
        uploadLaneMatrix(kernel::matrixGateUp, layer, [&](uint32_t lane, uint32_t r) {
            return (r % 2 == 0 ? gate : up)(uint64_t{lane} * p_.laneFfn + r / 2);
        });
        uploadLaneOutputs(kernel::matrixOutput, layer, t.output, queryRows);
        uploadLaneOutputs(kernel::matrixDown, layer, t.down, p_.laneFfn);
    }

    /// A matrix from a lane's `depth` values to the hidden vector: [lanes, hidden, depth], or in a plain transformer
    /// that several devices share [hidden, lanes * depth].
    void uploadLaneOutputs(kernel::Matrix matrix, uint32_t layer, const TensorView &tensor, uint32_t depth) {
        if (model_.spec().laneCount == p_.allLanes) {
            Bf16Rows rows(tensor, depth);
            uploadLaneMatrix(matrix, layer,
                             [&](uint32_t lane, uint32_t r) { return rows(uint64_t{lane} * p_.hidden + r); });
            return;
        }
        Bf16Rows rows(tensor, depth, p_.allLanes * depth);
        uploadLaneMatrix(matrix, layer, [&](uint32_t lane, uint32_t r) { return rows(r, lane * depth); });
    }

    void uploadHead() {
        const PackedMatrix &m = p_.matrices[kernel::matrixHead];
        const bool shared = p_.headInput != kernel::headOwnLane;
        Bf16Rows head(model_.head(), p_.hidden);
        const std::vector<uint16_t> none(p_.hidden);
        const auto row = [&](uint32_t lane, uint32_t r) {
            const uint64_t token = (shared ? 0 : uint64_t{lane} * m.laneRows) + r;
            return token < p_.vocabulary ? head(token) : std::span(none);
        };
        if (shared) {
            uploadMatrix(kernel::matrixHead, 0, 1, p_.device * p_.workgroups, p_.workgroups, row);
        } else {
            uploadMatrix(kernel::matrixHead, 0, p_.lanes, 0, p_.members, row);
        }
    }

    void uploadEmbedding() {
        Bf16Rows rows(model_.embedding(), p_.hidden);
        const uint64_t rowBytes = p_.hidden * 2ull;
        const uint32_t batch = std::max(1u, static_cast<uint32_t>((16u << 20) / rowBytes));
        std::vector<std::byte> buffer;
        for (uint32_t row = 0; row < p_.vocabulary; row += batch) {
            const uint32_t count = std::min(batch, p_.vocabulary - row);
            buffer.resize(count * rowBytes);
            for (uint32_t i = 0; i < count; i++) {
                std::memcpy(buffer.data() + i * rowBytes, rows(row + i).data(), rowBytes);
            }
            shard_.upload(p_.embedding + row * rowBytes, buffer);
        }
    }

    void uploadFloats(uint64_t address, const std::vector<float> &values) {
        shard_.upload(address, std::as_bytes(std::span(values)));
    }

    /// Norm weights of this device's lanes, where each lane has its own.
    std::vector<float> ownNorms(const TensorView &tensor) const {
        std::vector<float> all = asFloats(tensor);
        if (p_.perLaneNorm == 0) {
            return all;
        }
        while (all.size() < uint64_t{p_.allLanes} * p_.hidden) { // one norm for all lanes
            all.insert(all.end(), all.begin(), all.begin() + p_.hidden);
        }
        const auto first = all.begin() + p_.firstLane * p_.hidden;
        return {first, first + p_.lanes * p_.hidden};
    }

    void uploadNorms() {
        for (uint32_t layer = 0; layer < p_.layers; layer++) {
            const std::vector<float> attention = ownNorms(model_.layers()[layer].attentionNorm);
            const std::vector<float> ffn = ownNorms(model_.layers()[layer].ffnNorm);
            uploadFloats(p_.attentionNorm + layer * attention.size() * 4, attention);
            uploadFloats(p_.ffnNorm + layer * ffn.size() * 4, ffn);
        }
        uploadFloats(p_.finalNorm, ownNorms(model_.finalNorm()));
    }

    /// Biases in the order of the packed rows (a lane's q, k and v), and the heads' norms.
    void uploadHeadVectors() {
        const uint32_t queryRows = p_.laneHeads * p_.headDim, keyRows = p_.laneKvHeads * p_.headDim;
        for (uint32_t layer = 0; layer < p_.layers; layer++) {
            const LayerTensors &t = model_.layers()[layer];
            if (p_.hasBias != 0) {
                const std::vector<float> q = asFloats(t.queryBias), k = asFloats(t.keyBias), v = asFloats(t.valueBias);
                std::vector<float> rows;
                for (uint32_t lane = p_.firstLane; lane < p_.firstLane + p_.lanes; lane++) {
                    rows.insert(rows.end(), q.begin() + lane * queryRows, q.begin() + (lane + 1) * queryRows);
                    rows.insert(rows.end(), k.begin() + lane * keyRows, k.begin() + (lane + 1) * keyRows);
                    rows.insert(rows.end(), v.begin() + lane * keyRows, v.begin() + (lane + 1) * keyRows);
                }
                uploadFloats(p_.qkvBias + layer * rows.size() * 4, rows);
            }
            if (p_.hasQkNorm != 0) {
                uploadFloats(p_.qkNorm + layer * 2ull * p_.headDim * 4, asFloats(t.queryNorm));
                uploadFloats(p_.qkNorm + (layer * 2ull + 1) * p_.headDim * 4, asFloats(t.keyNorm));
            }
        }
    }

    void uploadRope() {
        const ModelSpec &spec = model_.spec();
        const uint32_t half = p_.headDim / 2;
        std::vector<float> table(static_cast<size_t>(p_.context) * p_.headDim);
        for (uint32_t position = 0; position < p_.context; position++) {
            for (uint32_t i = 0; i < half; i++) {
                const double angle = static_cast<double>(position) * static_cast<double>(spec.ropeInverseFrequency[i]);
                float *pair = table.data() + static_cast<size_t>(position) * p_.headDim + 2 * i;
                pair[0] = static_cast<float>(std::cos(angle)) * spec.ropeScale;
                pair[1] = static_cast<float>(std::sin(angle)) * spec.ropeScale;
            }
        }
        uploadFloats(p_.rope, table);
    }

    GpuShard &shard_;
    const GpuLayout &layout_;
    const Parameters &p_;
    const Model &model_;
    const std::function<void(double)> &progress_;
    uint64_t uploaded_ = 0;
};

} // namespace

void uploadWeights(GpuShard &shard, const GpuLayout &layout, const Model &model,
                   const std::function<void(double)> &progress) {
    Upload(shard, layout, model, progress).run();
}

} // namespace monokernel
