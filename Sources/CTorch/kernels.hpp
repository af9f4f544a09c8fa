// Fused loops for the processor: one table of functions for each instruction set.
//
// The loops stand in kernels_rows.hpp and kernels_attention.hpp and are compiled once for every
// instruction set by kernels_for_*.cpp; `kernels()` chooses at run time. Everything here works on
// plain memory; kernels.cpp makes operations of libtorch of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ctorch {

/// Bits of a bfloat16 number.
typedef uint16_t Brain;

/// [images, tokens, width] in rows: an image's tokens share its shift, scale and gate.
struct RowShape {
    int64_t tokens;
    int64_t width;
};

/// Shift, scale or gate of an image: float32, `stride` elements from one image to the next.
struct ImageVectors {
    const float *values;
    int64_t stride;
};

/// Queries, keys and values in one array [images, tokens, 3, heads, headWidth].
struct AttentionShape {
    int64_t tokens;
    int64_t heads;
    int64_t headWidth;
};

/// Element types: the first letter is that of x, the second that of y (f float32, b bfloat16).
enum Types { FF, FB, BB, typeCount };

/// What a loop over images or heads is told: its part of the work, from `first` up to `last`.
struct KernelTable {
    const char *name;

    /// y = (x − mean)·reciprocal·(1 + scale) + shift; rows first..<last; keeps mean and reciprocal
    /// deviation if `statistics` [rows, 2] is there.
    void (*normForward[typeCount])(const void *x, ImageVectors shift, ImageVectors scale, void *y,
                                   float *statistics, double epsilon, RowShape shape,
                                   int64_t first, int64_t last);
    /// dx (type of x), and the sums over tokens dshift, dscale [images, width]; images first..<last.
    void (*normBackward[typeCount])(const void *dy, const void *x, ImageVectors scale,
                                    const float *statistics, void *dx, float *dshift,
                                    float *dscale, RowShape shape, int64_t first, int64_t last);

    /// out = x + gate·y (out has the type of x), or gate·y if x is null; rows first..<last.
    void (*gateForward[typeCount])(const void *x, const void *y, ImageVectors gate, void *out,
                                   RowShape shape, int64_t first, int64_t last);
    /// dy = gate·dout, and dgate = the sum of dout·y over tokens; images first..<last.
    void (*gateBackward[typeCount])(const void *dout, const void *y, ImageVectors gate, void *dy,
                                    float *dgate, RowShape shape, int64_t first, int64_t last);

    /// The sums of the columns first..<last of [rows, width].
    void (*columnSums)(const Brain *x, float *sums, int64_t rows, int64_t width, int64_t first,
                       int64_t last);

    /// The tanh approximation of GELU; elements first..<last of bfloat16.
    void (*geluForward)(const Brain *x, Brain *y, int64_t first, int64_t last);
    void (*geluBackward)(const Brain *dy, const Brain *x, Brain *dx, int64_t first, int64_t last);

    /// softmax(q·kᵀ/√headWidth)·v for the heads first..<last of all images (float32, bfloat16).
    void (*attentionForward[2])(const void *qkv, void *out, AttentionShape shape, int64_t first,
                                int64_t last);
    void (*attentionBackward[2])(const void *dout, const void *qkv, void *dqkv,
                                 AttentionShape shape, int64_t first, int64_t last);
};

/// The best table for this processor, or the one this thread chose.
const KernelTable &kernels();

/// Whether operations on the processor have loops of their own; without them they are composed of
/// libtorch's operations, as on other devices.
bool usesLoops();

extern const KernelTable kernelsForAny;
#if defined(__x86_64__)
extern const KernelTable kernelsForAVX2;
extern const KernelTable kernelsForAVX512;
extern const KernelTable kernelsForAVX512BF16;
#endif

}  // namespace ctorch
