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

constexpr uint32_t panelVectors = panelRows / 16;

/// The maximum of a panel's values and the first index where it is.
MK_INLINE void firstMaximum(const Vector *v, float *value, uint32_t *index) {
    Vector most = v[0];
    for (uint32_t j = 1; j < panelVectors; j++) {
        most = maximum(most, v[j]);
    }
    *value = horizontalMaximum(most);
    const Vector wanted = broadcast(*value), lanes = laneIndex();
    Vector first = broadcast(static_cast<float>(panelRows)); // Stays where nothing compares equal, that is, for NaN.
    for (uint32_t j = panelVectors; j-- > 0;) {
        const Vector here = lanes + broadcast(static_cast<float>(16 * j));
        MK_EACH first.part[i] = v[j].part[i] == wanted.part[i] ? here.part[i] : first.part[i];
    }
    const float lowest = horizontalMinimum(first);
    *index = lowest < static_cast<float>(panelRows) ? static_cast<uint32_t>(lowest) : 0;
}

static LogitSummary summarize(const float *logits, uint32_t count, uint32_t firstToken, const SamplingKey &key) {
    LogitSummary summary{};
    Vector v[panelVectors];
    for (uint32_t j = 0; j < panelVectors; j++) {
        v[j] = keepLanes(load(logits + 16 * j), 0, static_cast<int32_t>(count) - static_cast<int32_t>(16 * j),
                         minusInfinity);
    }
    firstMaximum(v, &summary.maximum, &summary.best);
    summary.best += firstToken;

    const Vector shift = broadcast(summary.maximum);
    Vector weight = broadcast(0.0f);
    for (uint32_t j = 0; j < panelVectors; j++) {
        weight = weight + exponentialOf(v[j] - shift);
    }
    summary.weight = horizontalSum(weight);
    if (key.temperature <= 0.0f) {
        return summary;
    }

    const Vector temperature = broadcast(key.temperature);
    Vector tempered = broadcast(0.0f), noisy[panelVectors];
    for (uint32_t j = 0; j < panelVectors; j++) {
        tempered = tempered + exponentialOf((v[j] - shift) / temperature);
        uint32_t tokens[16];
        for (uint32_t l = 0; l < 16; l++) {
            tokens[l] = firstToken + 16 * j + l;
        }
        noisy[j] = v[j] / temperature + noiseOf(tokens, key);
    }
    summary.temperedWeight = horizontalSum(tempered);
    firstMaximum(noisy, &summary.noisyMaximum, &summary.noisyBest);
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
