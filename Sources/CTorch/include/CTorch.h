// The C boundary to libtorch.
//
// Laws of this boundary:
//  * Every function that can fail returns a status: 0, or one of the CT_ERROR_ codes; the message
//    of the last error of the calling thread is kept until its next error.
//  * Results come through out-pointers and are owned by the caller (+1, `ct_tensor_free`).
//    Arguments are borrowed. Lists are pointer and count. Optionals are nullable pointers.
//  * No C++ exception leaves a function.
//  * Logic belongs to Swift. What has to run inside libtorch is here: fused loops over memory with
//    their derivatives (`kernels_*`, `fused.cpp`, `convolution.cpp`), and the second forward pass of
//    recomputed activations (`recompute.cpp`).
#ifndef CTORCH_H
#define CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

/// One reference to a native tensor.
typedef struct CTTensor CTTensor;

enum {
    CT_OK = 0,
    CT_ERROR_TORCH = 1,          // c10::Error: shapes, types, devices
    CT_ERROR_OUT_OF_MEMORY = 2,  // c10::OutOfMemoryError, std::bad_alloc
    CT_ERROR_STANDARD = 3,       // any other std::exception
    CT_ERROR_UNKNOWN = 4,        // anything else that was thrown
};

// MARK: status.cpp

/// The message of the calling thread's last error, without the C++ backtrace.
const char *ct_error_message(void);
/// The whole text of it, with the backtrace if there is one.
const char *ct_error_details(void);
/// Number of tensor references that exist now.
int64_t ct_tensor_live_count(void);
/// References that the calling thread made minus those it freed.
int64_t ct_tensor_thread_balance(void);
/// Throws inside the boundary: `kind` is one of the CT_ERROR_ codes, or 5 for std::bad_alloc. For
/// the tests of the guard.
int ct_error_provoke(int kind);
/// "2.13.0"
const char *ct_version(void);

// MARK: device.cpp

/// Loads libtorch_cuda from the folder of libtorch_cpu. Call it before any other function: libtorch
/// caches the absence of CUDA. Returns 0 when it was loaded or lies not there.
int ct_cuda_load(bool *loaded);
int ct_cuda_device_count(int *count);
/// Whether cuDNN convolves bfloat16 numbers on a CUDA device.
int ct_cuda_convolves_bfloat16(int index, bool *convolves);
int ct_mps_is_available(bool *available);
int ct_device_synchronize(int device, int index);
/// All memory of an accelerator.
int ct_device_total_memory(int device, int index, int64_t *bytes);
/// Bytes of the caching allocator of an accelerator.
int ct_device_memory(int device, int index, int64_t *current, int64_t *peak);
int ct_device_reset_peak_memory(int device, int index);
int ct_threads_get(int *count);
int ct_threads_set(int count);
/// "AVX512", "AVX2", "NEON" …
int ct_cpu_capability(const char *_Nonnull *_Nonnull name);
int ct_deterministic_set(bool enabled);
int ct_denormals_flush(bool enabled);

// MARK: memory.cpp

/// Makes the C library keep freed memory for the next tensor; `*kept` tells whether it can (glibc).
int ct_memory_keep(bool *kept);
/// Gives freed memory back to the system, kept or not (glibc).
int ct_memory_give_back(void);
/// Begins to add up what the calling thread allocates for tensors on the processor, and frees.
int ct_memory_meter_begin(void *_Nullable *_Nonnull meter);
/// Ends it, on the same thread; `*peak` is the largest sum in bytes.
int ct_memory_meter_end(void *meter, int64_t *peak);

// MARK: tensor.cpp

void ct_tensor_free(CTTensor *tensor);
int ct_tensor_copy_reference(CTTensor *tensor, CTTensor *_Nullable *_Nonnull out);
int ct_tensor_empty(const int64_t *sizes, size_t rank, int dtype, int device, int index,
                    CTTensor *_Nullable *_Nonnull out);
int ct_tensor_full(const int64_t *sizes, size_t rank, double value, int dtype, int device,
                   int index, CTTensor *_Nullable *_Nonnull out);
/// Zeros with the sizes, type, device and memory layout of another tensor.
int ct_tensor_zeros_like(CTTensor *tensor, CTTensor *_Nullable *_Nonnull out);
int ct_tensor_range(double start, double end, double step, int dtype,
                    CTTensor *_Nullable *_Nonnull out);
/// Copies `byte_count` bytes into a new contiguous CPU tensor.
int ct_tensor_from_bytes(const void *bytes, size_t byte_count, const int64_t *sizes, size_t rank,
                         int dtype, CTTensor *_Nullable *_Nonnull out);
/// Borrows memory; `release(context)` is called when the last reference to the storage is gone.
int ct_tensor_from_memory(void *bytes, const int64_t *sizes, const int64_t *_Nullable strides,
                          size_t rank, int dtype, void (*release)(void *), void *context,
                          CTTensor *_Nullable *_Nonnull out);
/// Copies the elements in row-major order.
int ct_tensor_to_bytes(CTTensor *tensor, void *bytes, size_t byte_count);
int ct_tensor_rank(CTTensor *tensor, size_t *rank);
int ct_tensor_sizes(CTTensor *tensor, int64_t *sizes);
int ct_tensor_strides(CTTensor *tensor, int64_t *strides);
int ct_tensor_dtype(CTTensor *tensor, int *dtype);
int ct_tensor_device(CTTensor *tensor, int *device, int *index);
int ct_tensor_data(CTTensor *tensor, void *_Nullable *_Nonnull data);
int ct_tensor_item(CTTensor *tensor, double *value);
int ct_tensor_is_contiguous(CTTensor *tensor, bool channels_last, bool *result);
int ct_tensor_is_same(CTTensor *a, CTTensor *b, bool *result);
int ct_tensor_shares_storage(CTTensor *a, CTTensor *b, bool *result);
int ct_tensor_to(CTTensor *tensor, int dtype, int device, int index, bool copy,
                 CTTensor *_Nullable *_Nonnull out);
int ct_tensor_clone(CTTensor *tensor, CTTensor *_Nullable *_Nonnull out);
int ct_tensor_contiguous(CTTensor *tensor, bool channels_last, CTTensor *_Nullable *_Nonnull out);
int ct_tensor_copy(CTTensor *target, CTTensor *source);

// MARK: shape.cpp

int ct_reshape(CTTensor *x, const int64_t *sizes, size_t rank, CTTensor *_Nullable *_Nonnull out);
int ct_permute(CTTensor *x, const int64_t *axes, size_t rank, CTTensor *_Nullable *_Nonnull out);
int ct_transpose(CTTensor *x, int64_t a, int64_t b, CTTensor *_Nullable *_Nonnull out);
int ct_expand(CTTensor *x, const int64_t *sizes, size_t rank, CTTensor *_Nullable *_Nonnull out);
int ct_flatten(CTTensor *x, int64_t from, int64_t to, CTTensor *_Nullable *_Nonnull out);
int ct_squeeze(CTTensor *x, int64_t axis, CTTensor *_Nullable *_Nonnull out);
int ct_unsqueeze(CTTensor *x, int64_t axis, CTTensor *_Nullable *_Nonnull out);
int ct_slice(CTTensor *x, int64_t axis, int64_t start, int64_t end, int64_t step,
             CTTensor *_Nullable *_Nonnull out);
int ct_select(CTTensor *x, int64_t axis, int64_t index, CTTensor *_Nullable *_Nonnull out);
int ct_cat(CTTensor *_Nonnull const *_Nonnull list, size_t count, int64_t axis,
           CTTensor *_Nullable *_Nonnull out);
int ct_stack(CTTensor *_Nonnull const *_Nonnull list, size_t count, int64_t axis,
             CTTensor *_Nullable *_Nonnull out);
/// Fills `out[0..<pieces]`; the axis must be divisible by `pieces`.
int ct_chunk(CTTensor *x, int64_t pieces, int64_t axis, CTTensor *_Nullable *_Nonnull out);
int ct_index_select(CTTensor *x, int64_t axis, CTTensor *indices,
                    CTTensor *_Nullable *_Nonnull out);
int ct_gather(CTTensor *x, int64_t axis, CTTensor *indices, CTTensor *_Nullable *_Nonnull out);
int ct_masked_select(CTTensor *x, CTTensor *mask, CTTensor *_Nullable *_Nonnull out);
int ct_flip(CTTensor *x, const int64_t *axes, size_t count, CTTensor *_Nullable *_Nonnull out);
int ct_roll(CTTensor *x, int64_t shift, int64_t axis, CTTensor *_Nullable *_Nonnull out);
int ct_repeat(CTTensor *x, const int64_t *repeats, size_t count, CTTensor *_Nullable *_Nonnull out);
int ct_pad(CTTensor *x, const int64_t *padding, size_t count, double value,
           CTTensor *_Nullable *_Nonnull out);
int ct_where(CTTensor *mask, CTTensor *a, CTTensor *b, CTTensor *_Nullable *_Nonnull out);
int ct_one_hot(CTTensor *labels, int64_t classes, CTTensor *_Nullable *_Nonnull out);

// MARK: math.cpp

int ct_neg(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_abs(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_sign(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_exp(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_log(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_sqrt(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_rsqrt(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_square(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_reciprocal(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_sin(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_cos(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_tanh(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_floor(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_round(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_sigmoid(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_relu(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_silu(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_is_finite(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_logical_not(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_clamp(CTTensor *x, double lower, double upper, CTTensor *_Nullable *_Nonnull out);
int ct_pow_scalar(CTTensor *x, double exponent, CTTensor *_Nullable *_Nonnull out);

/// a + scale·b
int ct_add(CTTensor *a, CTTensor *b, double scale, CTTensor *_Nullable *_Nonnull out);
int ct_mul(CTTensor *a, CTTensor *b, CTTensor *_Nullable *_Nonnull out);
int ct_div(CTTensor *a, CTTensor *b, CTTensor *_Nullable *_Nonnull out);
int ct_maximum(CTTensor *a, CTTensor *b, CTTensor *_Nullable *_Nonnull out);
int ct_minimum(CTTensor *a, CTTensor *b, CTTensor *_Nullable *_Nonnull out);
int ct_add_scalar(CTTensor *a, double b, CTTensor *_Nullable *_Nonnull out);
int ct_mul_scalar(CTTensor *a, double b, CTTensor *_Nullable *_Nonnull out);
int ct_lerp(CTTensor *a, CTTensor *b, double weight, CTTensor *_Nullable *_Nonnull out);

enum { CT_EQUAL, CT_NOT_EQUAL, CT_LESS, CT_LESS_EQUAL, CT_GREATER, CT_GREATER_EQUAL };
int ct_compare(CTTensor *a, CTTensor *b, int relation, CTTensor *_Nullable *_Nonnull out);
int ct_compare_scalar(CTTensor *a, double b, int relation, CTTensor *_Nullable *_Nonnull out);
int ct_logical_and(CTTensor *a, CTTensor *b, CTTensor *_Nullable *_Nonnull out);
int ct_all_equal(CTTensor *a, CTTensor *b, bool *result);

int ct_matmul(CTTensor *a, CTTensor *b, CTTensor *_Nullable *_Nonnull out);

// In place, also on leaves inside a no-gradient scope.
int ct_inplace_add(CTTensor *x, CTTensor *y, double scale);
int ct_inplace_mul(CTTensor *x, CTTensor *y);
int ct_inplace_mul_scalar(CTTensor *x, double y);
int ct_inplace_fill(CTTensor *x, double value);
int ct_inplace_clamp(CTTensor *x, double lower, double upper);
int ct_inplace_index_copy(CTTensor *x, int64_t axis, CTTensor *indices, CTTensor *source);

// MARK: reduce.cpp — an empty list of axes means all of them

int ct_sum(CTTensor *x, const int64_t *_Nullable axes, size_t count, bool keep,
           CTTensor *_Nullable *_Nonnull out);
int ct_mean(CTTensor *x, const int64_t *_Nullable axes, size_t count, bool keep,
            CTTensor *_Nullable *_Nonnull out);
int ct_amax(CTTensor *x, const int64_t *_Nullable axes, size_t count, bool keep,
            CTTensor *_Nullable *_Nonnull out);
int ct_amin(CTTensor *x, const int64_t *_Nullable axes, size_t count, bool keep,
            CTTensor *_Nullable *_Nonnull out);
int ct_var(CTTensor *x, const int64_t *_Nullable axes, size_t count, double correction, bool keep,
           CTTensor *_Nullable *_Nonnull out);
int ct_norm(CTTensor *x, const int64_t *_Nullable axes, size_t count, double order, bool keep,
            CTTensor *_Nullable *_Nonnull out);
int ct_argmax(CTTensor *x, int64_t axis, bool keep, CTTensor *_Nullable *_Nonnull out);
int ct_argmin(CTTensor *x, int64_t axis, bool keep, CTTensor *_Nullable *_Nonnull out);
/// The whole tensor's extreme element: its gradient flows to that one element (the first on ties).
int ct_max_all(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_min_all(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
int ct_cumsum(CTTensor *x, int64_t axis, CTTensor *_Nullable *_Nonnull out);
int ct_topk(CTTensor *x, int64_t k, int64_t axis, bool largest,
            CTTensor *_Nullable *_Nonnull values, CTTensor *_Nullable *_Nonnull indices);
int ct_sort(CTTensor *x, int64_t axis, bool descending, CTTensor *_Nullable *_Nonnull values,
            CTTensor *_Nullable *_Nonnull indices);
int ct_softmax(CTTensor *x, int64_t axis, CTTensor *_Nullable *_Nonnull out);
int ct_log_softmax(CTTensor *x, int64_t axis, CTTensor *_Nullable *_Nonnull out);

// MARK: linear_algebra.cpp

/// A symmetric matrix by its lower triangle: eigenvalues in rising order, eigenvectors as columns.
int ct_eigh(CTTensor *x, CTTensor *_Nullable *_Nonnull values,
            CTTensor *_Nullable *_Nonnull vectors);
/// The eigenvalues alone, in rising order.
int ct_eigvalsh(CTTensor *x, CTTensor *_Nullable *_Nonnull out);

// MARK: convolution.cpp

int ct_conv2d(CTTensor *x, CTTensor *weight, CTTensor *_Nullable bias, int64_t stride,
              int64_t padding, int64_t groups, CTTensor *_Nullable *_Nonnull out);

// MARK: instance_norm.cpp

int ct_group_norm(CTTensor *x, int64_t groups, CTTensor *_Nullable weight, CTTensor *_Nullable bias,
                  double epsilon, CTTensor *_Nullable *_Nonnull out);

// MARK: network.cpp

int ct_embedding(CTTensor *table, CTTensor *indices, CTTensor *_Nullable *_Nonnull out);
int ct_avg_pool2d(CTTensor *x, int64_t kernel, int64_t stride, CTTensor *_Nullable *_Nonnull out);
int ct_max_pool2d(CTTensor *x, int64_t kernel, int64_t stride, int64_t padding,
                  CTTensor *_Nullable *_Nonnull out);
int ct_adaptive_avg_pool2d(CTTensor *x, int64_t height, int64_t width,
                           CTTensor *_Nullable *_Nonnull out);
int ct_layer_norm(CTTensor *x, int64_t width, CTTensor *_Nullable weight, CTTensor *_Nullable bias,
                  double epsilon, CTTensor *_Nullable *_Nonnull out);
int ct_batch_norm(CTTensor *x, CTTensor *_Nullable weight, CTTensor *_Nullable bias,
                  CTTensor *_Nullable running_mean, CTTensor *_Nullable running_var, bool training,
                  double momentum, double epsilon, CTTensor *_Nullable *_Nonnull out);
/// q, k, v: [B, heads, tokens, width]
int ct_attention(CTTensor *q, CTTensor *k, CTTensor *v, CTTensor *_Nullable *_Nonnull out);
int ct_cross_entropy(CTTensor *logits, CTTensor *target, double label_smoothing, bool mean,
                     CTTensor *_Nullable *_Nonnull out);
int ct_kl_divergence(CTTensor *log_input, CTTensor *target, CTTensor *_Nullable *_Nonnull out);
int ct_interpolate(CTTensor *x, int64_t height, int64_t width, bool bilinear, bool antialias,
                   CTTensor *_Nullable *_Nonnull out);
/// Reads four sizes: B, C, H, W.
int ct_affine_grid(CTTensor *theta, const int64_t *sizes, CTTensor *_Nullable *_Nonnull out);
int ct_grid_sample(CTTensor *x, CTTensor *grid, CTTensor *_Nullable *_Nonnull out);

// MARK: fused.cpp

/// Instance norm with scale and shift, ReLU and 2×2 average pooling of [B, C, H, W]: in one pass for
/// channels-last memory of the CPU, else libtorch's operations one after the other.
int ct_instance_norm_relu_pool(CTTensor *x, CTTensor *weight, CTTensor *bias, double epsilon,
                               CTTensor *_Nullable *_Nonnull out);

// MARK: autograd.cpp

int ct_requires_grad_set(CTTensor *x, bool value);
int ct_requires_grad_get(CTTensor *x, bool *value);
int ct_detach(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
/// Leaves `*out` null when there is no gradient.
int ct_grad_get(CTTensor *x, CTTensor *_Nullable *_Nonnull out);
/// The gradient must have the shape, type and device of x; with other strides it is copied.
int ct_grad_set(CTTensor *x, CTTensor *_Nullable gradient);
int ct_backward(CTTensor *x, CTTensor *_Nullable gradient, bool retain_graph, bool create_graph);
/// Fills `out[0..<input_count]`; an entry stays null where an input was not used.
int ct_grad(CTTensor *_Nonnull const *_Nonnull outputs, size_t output_count,
            CTTensor *_Nonnull const *_Nonnull inputs, size_t input_count,
            CTTensor *_Nullable const *_Nullable output_gradients, bool retain_graph,
            bool create_graph, CTTensor *_Nullable *_Nonnull out);
int ct_grad_mode_get(bool *enabled);
int ct_grad_mode_set(bool enabled);
int ct_inference_begin(void *_Nullable *_Nonnull guard);
int ct_inference_end(void *guard);
int ct_autocast_get(int device, bool *enabled, int *dtype);
int ct_autocast_set(int device, bool enabled, int dtype);
int ct_autocast_enter(void);
/// Drops the cached casts of the weights when the outermost scope is left.
int ct_autocast_leave(void);
/// Drops the cached casts now, if the calling thread is inside of an autocast scope.
int ct_autocast_forget(void);

// MARK: recompute.cpp

/// Computes one tensor of others, which it owns, as the caller owns the result.
typedef CTTensor *_Nonnull (*CTBody)(void *context, CTTensor *_Nonnull const *_Nonnull inputs,
                                     size_t count);
typedef void (*CTRelease)(void *context);
/// The body's result for the first `argument_count` inputs. It is computed without a history, and
/// once more, under the same autocast, when a gradient is asked for. The other inputs are leaves
/// that the body uses by itself and whose gradients it contributes to. `release` is called once,
/// when the context is needed no more.
int ct_recomputed(CTTensor *_Nonnull const *_Nonnull inputs, size_t count, size_t argument_count,
                  CTBody body, CTRelease release, void *context,
                  CTTensor *_Nullable *_Nonnull out);

// MARK: foreach.cpp

int ct_foreach_add(CTTensor *_Nonnull const *_Nonnull x, CTTensor *_Nonnull const *_Nonnull y,
                   size_t count, double scale);
/// x ← x + y for each.
int ct_foreach_add_scalar(CTTensor *_Nonnull const *_Nonnull x, size_t count, double y);
int ct_foreach_mul_scalar(CTTensor *_Nonnull const *_Nonnull x, size_t count, double y);
/// x ← x + weight·(y − x)
int ct_foreach_lerp(CTTensor *_Nonnull const *_Nonnull x, CTTensor *_Nonnull const *_Nonnull y,
                    size_t count, double weight);
int ct_foreach_copy(CTTensor *_Nonnull const *_Nonnull x, CTTensor *_Nonnull const *_Nonnull y,
                    size_t count);
/// The Euclidean norm over all tensors together.
int ct_foreach_total_norm(CTTensor *_Nonnull const *_Nonnull x, size_t count,
                          CTTensor *_Nullable *_Nonnull out);
int ct_fused_adamw(CTTensor *_Nonnull const *_Nonnull parameters,
                   CTTensor *_Nonnull const *_Nonnull gradients,
                   CTTensor *_Nonnull const *_Nonnull first_moments,
                   CTTensor *_Nonnull const *_Nonnull second_moments,
                   CTTensor *_Nonnull const *_Nonnull steps, size_t count, double learning_rate,
                   double beta1, double beta2, double weight_decay, double epsilon);
int ct_fused_sgd(CTTensor *_Nonnull const *_Nonnull parameters,
                 CTTensor *_Nonnull const *_Nonnull gradients,
                 CTTensor *_Nonnull const *_Nullable momentum_buffers, size_t count,
                 double learning_rate, double momentum, double weight_decay, bool first_step);

// MARK: kernels*.cpp — fused loops for the processor; elsewhere composed of libtorch's operations

/// LN(x)·(1 + scale) + shift; x: [B, T, D], shift and scale: [B, 1, D].
int ct_norm_modulate(CTTensor *x, CTTensor *shift, CTTensor *scale, double epsilon,
                     CTTensor *_Nullable *_Nonnull out);
/// x + gate·y; x and y: [B, T, D], gate: [B, 1, D].
int ct_add_gated(CTTensor *x, CTTensor *y, CTTensor *gate, CTTensor *_Nullable *_Nonnull out);
/// x·vector, with a vector of the width of x: [..., D] and [D].
int ct_scale_rows(CTTensor *x, CTTensor *vector, CTTensor *_Nullable *_Nonnull out);
int ct_linear(CTTensor *x, CTTensor *weight, CTTensor *_Nullable bias,
              CTTensor *_Nullable *_Nonnull out);
/// Fused for the tanh approximation in bfloat16.
int ct_gelu(CTTensor *x, bool tanh_approximation, CTTensor *_Nullable *_Nonnull out);
/// softmax(q·kᵀ/√(D/heads))·v; qkv: [B, T, 3·D] with the axes (3, heads, D/heads), out: [B, T, D].
int ct_self_attention(CTTensor *qkv, int64_t heads, CTTensor *_Nullable *_Nonnull out);
/// The instruction set of the fused loops: "AVX512-BF16", "AVX512", "AVX2", "portable", or "none"
/// where operations are composed of libtorch's own, as on other devices.
int ct_kernels_name(const char *_Nonnull *_Nonnull name);
/// Makes the calling thread use the loops of this name, or the best again if it is null. For tests.
int ct_kernels_choose(const char *_Nullable name, bool *found);

// MARK: random.cpp — Philox 4×32-10, key = seed, counter = (offset, stream)

/// Raw 32-bit words starting at word number `position` of the stream.
int ct_philox_words(uint64_t seed, uint64_t stream, uint64_t position, uint32_t *words,
                    size_t count);
/// Uniform numbers in [0, 1), multiples of 2^-24, one word each.
int ct_philox_uniform(uint64_t seed, uint64_t stream, uint64_t position, float *values,
                      size_t count);
/// Standard normal numbers (Box–Muller), one word each; `position` must be even.
int ct_philox_normal(uint64_t seed, uint64_t stream, uint64_t position, float *values,
                     size_t count);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif

#endif
