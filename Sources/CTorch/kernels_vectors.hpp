// Vectors of float32: loads and stores of every element type, and the exponential.
//
// Included by kernels_for_*.cpp inside a namespace and under the target attribute of an
// instruction set, so it must not include anything itself. KERNEL_WIDTH is the number of floats in
// a vector.

typedef float F __attribute__((vector_size(KERNEL_WIDTH * 4)));
typedef int32_t I __attribute__((vector_size(KERNEL_WIDTH * 4)));
typedef uint32_t U __attribute__((vector_size(KERNEL_WIDTH * 4)));
typedef uint16_t H __attribute__((vector_size(KERNEL_WIDTH * 2)));

constexpr int64_t W = KERNEL_WIDTH;

static inline F fill(float value) { return F{} + value; }

static inline F load(const float *p) {
    F v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, F v) { __builtin_memcpy(p, &v, sizeof v); }

static inline F widened(H bits) { return (F)(__builtin_convertvector(bits, U) << 16); }

/// Rounds to the nearest bfloat16, ties to even.
static inline H narrowed(F v) {
#if KERNEL_HAS_BF16
    H bits;
    const auto rounded = _mm512_cvtneps_pbh(v);
    __builtin_memcpy(&bits, &rounded, sizeof bits);
    return bits;
#else
    const U u = (U)v;
    const U rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    const U isNumber = (U)(v == v);
    return __builtin_convertvector((rounded & isNumber) | (0x7fc0 & ~isNumber), H);
#endif
}

static inline F load(const Brain *p) {
    H bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    return widened(bits);
}

static inline void store(Brain *p, F v) {
    const H bits = narrowed(v);
    __builtin_memcpy(p, &bits, sizeof bits);
}

// The last elements of a row: 0 < count < W; what is missing reads as zero.
#if KERNEL_WIDTH == 16
static inline F load(const float *p, int64_t count) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}

static inline void store(float *p, F v, int64_t count) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), v);
}

static inline F load(const Brain *p, int64_t count) {
    const __m256i bits = _mm256_maskz_loadu_epi16((__mmask16)((1u << count) - 1), p);
    return (F)_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16);
}

static inline void store(Brain *p, F v, int64_t count) {
    const H bits = narrowed(v);
    _mm256_mask_storeu_epi16(p, (__mmask16)((1u << count) - 1), (__m256i)bits);
}
#else
static inline F load(const float *p, int64_t count) {
    F v = {};
    for (int64_t i = 0; i < count; ++i) v[i] = p[i];
    return v;
}

static inline void store(float *p, F v, int64_t count) {
    for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

static inline F load(const Brain *p, int64_t count) {
    H bits = {};
    for (int64_t i = 0; i < count; ++i) bits[i] = p[i];
    return widened(bits);
}

static inline void store(Brain *p, F v, int64_t count) {
    const H bits = narrowed(v);
    for (int64_t i = 0; i < count; ++i) p[i] = bits[i];
}
#endif

/// 0, 1, 2, …
static inline I laneNumbers() {
    I lanes;
    for (int i = 0; i < W; ++i) lanes[i] = i;
    return lanes;
}

/// The elements below `count` of a vector, the others zero.
static inline F firstOf(F v, int64_t count) {
    return (F)((I)v & (laneNumbers() < (int32_t)count));
}

/// Element i is element i ^ distance of v.
template <int distance>
static inline F exchanged(F v) {
    F w;
#pragma clang loop unroll(full)
    for (int i = 0; i < W; ++i) w[i] = v[i ^ distance];
    return w;
}

static inline float sum(F v) {
    if constexpr (W > 8) v += exchanged<8>(v);
    if constexpr (W > 4) v += exchanged<4>(v);
    v += exchanged<2>(v);
    v += exchanged<1>(v);
    return v[0];
}

/// The larger of a and b; a if it is not a number.
static inline F largerOf(F a, F b) { return b > a ? b : a; }

/// The smaller of a and b; a if it is not a number.
static inline F smallerOf(F a, F b) { return b < a ? b : a; }

/// The largest element; elements that are not numbers may be passed over.
static inline float largestOf(F v) {
    if constexpr (W > 8) v = largerOf(v, exchanged<8>(v));
    if constexpr (W > 4) v = largerOf(v, exchanged<4>(v));
    v = largerOf(v, exchanged<2>(v));
    v = largerOf(v, exchanged<1>(v));
    return v[0];
}

/// eˣ for x clamped to ±87; the relative error is below 1e-7, or 3e-6 if it may be `rough`, which
/// is enough for a bfloat16 result.
template <bool rough = false>
static inline F exponential(F x) {
    x = smallerOf(largerOf(x, fill(-87)), fill(87));
    // x = n·ln 2 + r with a whole n; adding 1.5·2²³ rounds.
    const F shifted = x * 1.44269504f + 12582912.0f;
    const F n = shifted - 12582912.0f;
    F p;
    if constexpr (rough) {
        const F r = x - n * 0.6931471806f;
        p = r * 0.04145860824f + 0.1679090724f;
        p = p * r + 0.5000435866f;
        p = p * r + 0.9999634048f;
        p = p * r + 0.9999992614f;
    } else {
        const F r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
        p = r * 1.9875691500e-4f + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        p = p * r * r + r + 1.0f;
    }
    // A product, since 2ⁿ added to the exponent could make a number of a NaN.
    return p * (F)(((I)shifted << 23) + (127 << 23));
}

/// 1/x; with a relative error below 1e-4 if it may be `rough`.
template <bool rough = false>
static inline F reciprocal(F x) {
#if KERNEL_WIDTH == 16
    if constexpr (rough) return _mm512_rcp14_ps(x);
#endif
    return 1 / x;
}
