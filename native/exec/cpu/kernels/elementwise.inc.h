// Norms, lane sums and the gated unit: one pass over a token's vector, sums in a fixed order.

static void rmsNorm(const float *x, const float *weight, uint32_t size, float epsilon, float *out) {
    Vector sums[4] = {broadcast(0.0f), broadcast(0.0f), broadcast(0.0f), broadcast(0.0f)};
    uint32_t i = 0;
    for (; i + 64 <= size; i += 64) {
        for (uint32_t j = 0; j < 4; j++) {
            const Vector v = load(x + i + 16 * j);
            sums[j] = fma(v, v, sums[j]);
        }
    }
    for (uint32_t j = 0; i < size; i += 16, j++) {
        const Vector v = load(x + i);
        sums[j] = fma(v, v, sums[j]);
    }
    const float mean = horizontalSum((sums[0] + sums[1]) + (sums[2] + sums[3])) / static_cast<float>(size);
    const Vector scale = broadcast(1.0f / __builtin_sqrtf(mean + epsilon));
    for (i = 0; i < size; i += 16) {
        store(out + i, load(x + i) * scale * load(weight + i));
    }
}

MK_INLINE Vector sumAt(const float *const *terms, uint32_t termCount, uint32_t i) {
    Vector sum = load(terms[0] + i);
    for (uint32_t t = 1; t < termCount; t++) {
        sum = sum + load(terms[t] + i);
    }
    return sum;
}

static void addTerms(float *x, const float *const *terms, uint32_t termCount, float scale, uint32_t size) {
    const Vector factor = broadcast(scale);
    for (uint32_t i = 0; i < size; i += 16) {
        store(x + i, fma(sumAt(terms, termCount, i), factor, load(x + i)));
    }
}

static void sumTerms(float *out, const float *const *terms, uint32_t termCount, float scale, uint32_t size) {
    const Vector factor = broadcast(scale);
    for (uint32_t i = 0; i < size; i += 16) {
        store(out + i, sumAt(terms, termCount, i) * factor);
    }
}

static void gatedUnit(const float *gate, const float *up, float *out, uint32_t size) {
    const Vector one = broadcast(1.0f), zero = broadcast(0.0f);
    for (uint32_t i = 0; i < size; i += 16) {
        const Vector g = load(gate + i);
        store(out + i, g / (one + exponentialOf(zero - g)) * load(up + i));
    }
}

MK_INLINE void rotatePair(float &a, float &b, float cosine, float sine, float scale) {
    const float x = a, y = b;
    a = (x * cosine - y * sine) * scale;
    b = (y * cosine + x * sine) * scale;
}

static void rotate(float *head, const float *cosine, const float *sine, uint32_t pairs, bool neighbours, float scale) {
    if (neighbours) {
        for (uint32_t i = 0; i < pairs; i++) {
            rotatePair(head[2 * i], head[2 * i + 1], cosine[i], sine[i], scale);
        }
        return;
    }
    float *other = head + pairs;
    const Vector factor = broadcast(scale);
    uint32_t i = 0;
    for (; i + 16 <= pairs; i += 16) {
        const Vector x = load(head + i), y = load(other + i), c = load(cosine + i), s = load(sine + i);
        store(head + i, (x * c - y * s) * factor);
        store(other + i, (y * c + x * s) * factor);
    }
    for (; i < pairs; i++) {
        rotatePair(head[i], other[i], cosine[i], sine[i], scale);
    }
}

static void exponential(const float *x, float *out, uint32_t size) {
    for (uint32_t i = 0; i < size; i += 16) {
        store(out + i, exponentialOf(load(x + i)));
    }
}
