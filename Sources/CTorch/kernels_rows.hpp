// Loops over rows of width elements, and over plain arrays. Included like kernels_vectors.hpp.

/// Calls `body(offset, count)` for whole vectors with count 0 (all) and for the rest of a row.
#define FOR_VECTORS(width, i, whole, rest)                    \
    {                                                         \
        int64_t i = 0;                                        \
        for (; i + W <= (width); i += W) { whole; }           \
        if (const int64_t count = (width) - i; count > 0) { rest; } \
    }

template <typename X, typename Y>
static void normForward(const void *xs, ImageVectors shifts, ImageVectors scales, void *ys,
                        float *statistics, double epsilon, RowShape shape, int64_t first,
                        int64_t last) {
    const int64_t width = shape.width;
    for (int64_t row = first; row < last; ++row) {
        const X *x = (const X *)xs + row * width;
        Y *y = (Y *)ys + row * width;
        const float *shift = shifts.values + row / shape.tokens * shifts.stride;
        const float *scale = scales.values + row / shape.tokens * scales.stride;

        F total = {};
        FOR_VECTORS(width, i, total += load(x + i), total += load(x + i, count));
        const float mean = sum(total) / (float)width;
        F squares = {};
        FOR_VECTORS(
            width, i,
            {
                const F d = load(x + i) - mean;
                squares += d * d;
            },
            {
                const F d = firstOf(load(x + i, count) - mean, count);
                squares += d * d;
            });
        const float variance = sum(squares) / (float)width;
        const float reciprocal = 1 / __builtin_sqrtf(variance + (float)epsilon);
        if (statistics != nullptr) {
            statistics[2 * row] = mean;
            statistics[2 * row + 1] = reciprocal;
        }
        FOR_VECTORS(
            width, i,
            store(y + i, (load(x + i) - mean) * reciprocal * (load(scale + i) + 1) +
                             load(shift + i)),
            store(y + i,
                  (load(x + i, count) - mean) * reciprocal * (load(scale + i, count) + 1) +
                      load(shift + i, count),
                  count));
    }
}

template <typename X, typename Y>
static void normBackward(const void *dys, const void *xs, ImageVectors scales,
                         const float *statistics, void *dxs, float *dshifts, float *dscales,
                         RowShape shape, int64_t first, int64_t last) {
    const int64_t width = shape.width;
    for (int64_t image = first; image < last; ++image) {
        const float *scale = scales.values + image * scales.stride;
        float *dshift = dshifts + image * width;
        float *dscale = dscales + image * width;
        for (int64_t i = 0; i < width; ++i) dshift[i] = dscale[i] = 0;
        for (int64_t row = image * shape.tokens; row < (image + 1) * shape.tokens; ++row) {
            const X *x = (const X *)xs + row * width;
            const Y *dy = (const Y *)dys + row * width;
            X *dx = (X *)dxs + row * width;
            const float mean = statistics[2 * row];
            const float reciprocal = statistics[2 * row + 1];

            // With z = (x − mean)·reciprocal and g = dy·(1 + scale):
            // dx = reciprocal·(g − mean(g) − z·mean(g·z))
            F sumOfG = {};
            F sumOfGZ = {};
            FOR_VECTORS(
                width, i,
                {
                    const F z = (load(x + i) - mean) * reciprocal;
                    const F d = load(dy + i);
                    const F g = d * (load(scale + i) + 1);
                    sumOfG += g;
                    sumOfGZ += g * z;
                    store(dshift + i, load(dshift + i) + d);
                    store(dscale + i, load(dscale + i) + d * z);
                },
                {
                    // d is zero beyond the row, so whatever z is there does not count.
                    const F z = (load(x + i, count) - mean) * reciprocal;
                    const F d = load(dy + i, count);
                    const F g = d * (load(scale + i, count) + 1);
                    sumOfG += g;
                    sumOfGZ += g * z;
                    store(dshift + i, load(dshift + i, count) + d, count);
                    store(dscale + i, load(dscale + i, count) + d * z, count);
                });
            const float meanOfG = sum(sumOfG) / (float)width;
            const float meanOfGZ = sum(sumOfGZ) / (float)width;
            FOR_VECTORS(
                width, i,
                {
                    const F z = (load(x + i) - mean) * reciprocal;
                    const F g = load(dy + i) * (load(scale + i) + 1);
                    store(dx + i, (g - meanOfG - z * meanOfGZ) * reciprocal);
                },
                {
                    const F z = (load(x + i, count) - mean) * reciprocal;
                    const F g = load(dy + i, count) * (load(scale + i, count) + 1);
                    store(dx + i, (g - meanOfG - z * meanOfGZ) * reciprocal, count);
                });
        }
    }
}

template <typename X, typename Y>
static void gateForward(const void *xs, const void *ys, ImageVectors gates, void *outs,
                        RowShape shape, int64_t first, int64_t last) {
    const int64_t width = shape.width;
    for (int64_t row = first; row < last; ++row) {
        const Y *y = (const Y *)ys + row * width;
        X *out = (X *)outs + row * width;
        const float *gate = gates.values + row / shape.tokens * gates.stride;
        if (xs == nullptr) {
            FOR_VECTORS(width, i, store(out + i, load(gate + i) * load(y + i)),
                        store(out + i, load(gate + i, count) * load(y + i, count), count));
            continue;
        }
        const X *x = (const X *)xs + row * width;
        FOR_VECTORS(width, i, store(out + i, load(x + i) + load(gate + i) * load(y + i)),
                    store(out + i, load(x + i, count) + load(gate + i, count) * load(y + i, count),
                          count));
    }
}

template <typename X, typename Y>
static void gateBackward(const void *douts, const void *ys, ImageVectors gates, void *dys,
                         float *dgates, RowShape shape, int64_t first, int64_t last) {
    const int64_t width = shape.width;
    for (int64_t image = first; image < last; ++image) {
        const float *gate = gates.values + image * gates.stride;
        float *dgate = dgates + image * width;
        for (int64_t i = 0; i < width; ++i) dgate[i] = 0;
        for (int64_t row = image * shape.tokens; row < (image + 1) * shape.tokens; ++row) {
            const X *dout = (const X *)douts + row * width;
            const Y *y = (const Y *)ys + row * width;
            Y *dy = (Y *)dys + row * width;
            FOR_VECTORS(
                width, i,
                {
                    const F d = load(dout + i);
                    store(dgate + i, load(dgate + i) + d * load(y + i));
                    store(dy + i, d * load(gate + i));
                },
                {
                    const F d = load(dout + i, count);
                    store(dgate + i, load(dgate + i, count) + d * load(y + i, count), count);
                    store(dy + i, d * load(gate + i, count), count);
                });
        }
    }
}

/// Two vectors of columns at a time, four rows at a time.
static void columnSums(const Brain *x, float *sums, int64_t rows, int64_t width, int64_t first,
                       int64_t last) {
    for (int64_t i = first; i < last; i += 2 * W) {
        if (i + 2 * W > last) {
            for (int64_t n = i; n < last; n += W) {
                const int64_t count = last - n < W ? last - n : W;
                F total = {};
                for (int64_t m = 0; m < rows; ++m) {
                    const Brain *p = x + m * width + n;
                    total += count == W ? load(p) : load(p, count);
                }
                if (count == W) {
                    store(sums + n, total);
                } else {
                    store(sums + n, total, count);
                }
            }
            return;
        }
        F totals[4][2] = {};
        int64_t m = 0;
        for (; m + 4 <= rows; m += 4) {
#pragma clang loop unroll(full)
            for (int k = 0; k < 4; ++k) {
                totals[k][0] += load(x + (m + k) * width + i);
                totals[k][1] += load(x + (m + k) * width + i + W);
            }
        }
        for (; m < rows; ++m) {
            totals[0][0] += load(x + m * width + i);
            totals[0][1] += load(x + m * width + i + W);
        }
        for (int n = 0; n < 2; ++n) {
            store(sums + i + n * W, (totals[0][n] + totals[1][n]) + (totals[2][n] + totals[3][n]));
        }
    }
}

// GELU(x) = x·σ(2u) with u = √(2/π)·(x + 0.044715·x³), since ½(1 + tanh u) = σ(2u).
constexpr float geluLinear = 1.5957691216f;                // 2√(2/π)
constexpr float geluCubic = 1.5957691216f * 0.044715f;

/// For a bfloat16 result. Below −16 it is 0 but for 1e-36, however large the number.
static inline F gelu(F x) {
    const F bounded = largerOf(x, fill(-16));
    const F e = exponential<true>(-bounded * (geluLinear + geluCubic * bounded * bounded));
    return bounded * reciprocal<true>(1 + e);
}

/// dGELU/dx = s + x·s·(1 − s)·2u′ with s = σ(2u), and 1 − s = s·e^(−2u) without cancellation.
static inline F geluSlope(F x) {
    x = smallerOf(largerOf(x, fill(-16)), fill(16));
    const F square = x * x;
    const F e = exponential<true>(-x * (geluLinear + geluCubic * square));
    const F s = reciprocal<true>(1 + e);
    return s + x * s * (s * e) * (geluLinear + 3 * geluCubic * square);
}

static void geluForward(const Brain *x, Brain *y, int64_t first, int64_t last) {
    x += first;
    y += first;
    FOR_VECTORS(last - first, i, store(y + i, gelu(load(x + i))),
                store(y + i, gelu(load(x + i, count)), count));
}

static void geluBackward(const Brain *dy, const Brain *x, Brain *dx, int64_t first,
                         int64_t last) {
    dy += first;
    x += first;
    dx += first;
    FOR_VECTORS(last - first, i, store(dx + i, load(dy + i) * geluSlope(load(x + i))),
                store(dx + i, load(dy + i, count) * geluSlope(load(x + i, count)), count));
}
