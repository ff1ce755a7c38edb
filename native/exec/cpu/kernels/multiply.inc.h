// Which product a weight format takes on this instruction set, and the rows it wants.

static Operand prepare(WeightFormat format, uint32_t depth, const float *x, size_t xStride, uint32_t begin,
                       uint32_t end, void *out) {
    const size_t stride = operandStride(depth);
    char *row = static_cast<char *>(out);
    switch (format) {
    case WeightFormat::int8:
        for (uint32_t t = begin; t < end; t++) {
            quantize(x + t * xStride, depth, reinterpret_cast<QuantizedGroup *>(row + t * stride));
        }
        return {out, stride};
#if defined(__AMX_BF16__)
    case WeightFormat::bf16:
        return roundToTiles(depth, x, xStride, begin, end, row);
#elif defined(__AVX512BF16__)
    case WeightFormat::bf16:
        for (uint32_t t = begin; t < end; t++) {
            roundToBf16(x + t * xStride, depth, row + t * stride);
        }
        return {out, stride};
#endif
    default:
        return {x, xStride * sizeof(float)};
    }
}

static void multiply(const MatrixProduct &m) {
    switch (m.format) {
    case WeightFormat::bf16:
#if defined(__AMX_BF16__)
        return multiplyBf16Tiles(m);
#elif defined(__AVX512BF16__)
        return multiplyBf16Dot(m);
#else
        return multiplyFused<Bf16Line>(m);
#endif
    case WeightFormat::f16:
        return multiplyFused<F16Line>(m);
    case WeightFormat::f32:
        return multiplyFused<F32Line>(m);
    case WeightFormat::int8:
#if defined(__AMX_INT8__)
        return multiplyInt8Tiles(m);
#else
        return multiplyInt8(m);
#endif
    }
}
