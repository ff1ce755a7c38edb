// Statistics of logits and the noise of the Gumbel-max draw.

/// Gumbel(0, 1) noise of 16 tokens: -log(-log(u)), u from the counter-based hash.
MK_INLINE Vector noiseOf(const uint32_t *tokens, const SamplingKey &key) {
    float uniform[16] __attribute__((aligned(64)));
    for (uint32_t i = 0; i < 16; i++) {
        uniform[i] = samplingUniform(samplingHash(key.seed, key.position, tokens[i]));
    }
    const Vector zero = broadcast(0.0f);
    return zero - logarithmOf(zero - logarithmOf(load(uniform)));
}

/// The first maximum among values seen 16 at a time.
struct RunningMaximum {
    Vector most = broadcast(minusInfinity);
    Vector at = broadcast(0.0f);

    MK_INLINE void take(RunningMaximum *self, Vector v, float vectorIndex) {
        const Vector index = broadcast(vectorIndex);
        MK_EACH {
            self->at.part[i] = v.part[i] > self->most.part[i] ? index.part[i] : self->at.part[i];
            self->most.part[i] = v.part[i] > self->most.part[i] ? v.part[i] : self->most.part[i];
        }
    }
    MK_INLINE void finish(const RunningMaximum *self, float *value, uint32_t *index) {
        float lanes[16] __attribute__((aligned(64))), vectors[16] __attribute__((aligned(64)));
        store(lanes, self->most);
        store(vectors, self->at);
        *value = lanes[0];
        *index = static_cast<uint32_t>(vectors[0]) * 16;
        for (uint32_t l = 1; l < 16; l++) {
            const uint32_t candidate = static_cast<uint32_t>(vectors[l]) * 16 + l;
            if (lanes[l] > *value || (lanes[l] == *value && candidate < *index)) {
                *value = lanes[l];
                *index = candidate;
            }
        }
    }
};

static LogitSummary summarize(const float *logits, uint32_t count, uint32_t firstToken, const SamplingKey &key) {
    LogitSummary summary{};
    const auto at = [&](uint32_t i) {
        return keepLanes(load(logits + i), 0, static_cast<int32_t>(count - i < 16 ? count - i : 16), minusInfinity);
    };
    RunningMaximum plain, noisy;
    for (uint32_t i = 0; i < count; i += 16) {
        RunningMaximum::take(&plain, at(i), static_cast<float>(i / 16));
    }
    RunningMaximum::finish(&plain, &summary.maximum, &summary.best);
    const Vector shift = broadcast(summary.maximum), temperature = broadcast(key.temperature);
    Vector weight = broadcast(0.0f), tempered = broadcast(0.0f);
    for (uint32_t i = 0; i < count; i += 16) {
        const Vector v = at(i);
        weight = weight + exponentialOf(v - shift);
        if (key.temperature > 0.0f) {
            uint32_t tokens[16];
            for (uint32_t l = 0; l < 16; l++) {
                tokens[l] = firstToken + i + l;
            }
            tempered = tempered + exponentialOf((v - shift) / temperature);
            RunningMaximum::take(&noisy, v / temperature + noiseOf(tokens, key), static_cast<float>(i / 16));
        }
    }
    summary.weight = horizontalSum(weight);
    summary.temperedWeight = horizontalSum(tempered);
    RunningMaximum::finish(&noisy, &summary.noisyMaximum, &summary.noisyBest);
    summary.best += firstToken;
    summary.noisyBest += firstToken;
    return summary;
}

static void addNoise(const float *logits, const uint32_t *tokens, uint32_t count, const SamplingKey &key, float *out) {
    for (uint32_t i = 0; i < count; i += 16) {
        const uint32_t here = count - i < 16 ? count - i : 16;
        uint32_t ids[16] = {};
        float values[16] __attribute__((aligned(64))) = {};
        __builtin_memcpy(ids, tokens + i, here * sizeof(uint32_t));
        __builtin_memcpy(values, logits + i, here * sizeof(float));
        store(values, load(values) / broadcast(key.temperature) + noiseOf(ids, key));
        __builtin_memcpy(out + i, values, here * sizeof(float));
    }
}
