// What layers are made of.
#include "support.hpp"

#include <ATen/native/GridSamplerUtils.h>

#include <array>

using namespace ctorch;

int ct_embedding(CTTensor *table, CTTensor *indices, CTTensor **out) {
    return guarded([&] { *out = wrap(at::embedding(unwrap(table), unwrap(indices))); });
}

int ct_avg_pool2d(CTTensor *x, int64_t kernel, int64_t stride, CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::avg_pool2d(unwrap(x), {kernel, kernel}, {stride, stride}));
    });
}

int ct_max_pool2d(CTTensor *x, int64_t kernel, int64_t stride, int64_t padding, CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::max_pool2d(unwrap(x), {kernel, kernel}, {stride, stride},
                                   {padding, padding}));
    });
}

int ct_adaptive_avg_pool2d(CTTensor *x, int64_t height, int64_t width, CTTensor **out) {
    return guarded([&] { *out = wrap(at::adaptive_avg_pool2d(unwrap(x), {height, width})); });
}

int ct_layer_norm(CTTensor *x, int64_t width, CTTensor *weight, CTTensor *bias, double epsilon,
                  CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::layer_norm(unwrap(x), {width}, unwrapOptional(weight),
                                   unwrapOptional(bias), epsilon));
    });
}

int ct_batch_norm(CTTensor *x, CTTensor *weight, CTTensor *bias, CTTensor *running_mean,
                  CTTensor *running_var, bool training, double momentum, double epsilon,
                  CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::batch_norm(unwrap(x), unwrapOptional(weight), unwrapOptional(bias),
                                   unwrapOptional(running_mean), unwrapOptional(running_var),
                                   training, momentum, epsilon, /*cudnn_enabled=*/true));
    });
}

int ct_attention(CTTensor *q, CTTensor *k, CTTensor *v, CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::scaled_dot_product_attention(unwrap(q), unwrap(k), unwrap(v)));
    });
}

int ct_cross_entropy(CTTensor *logits, CTTensor *target, double label_smoothing, bool mean,
                     CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::cross_entropy_loss(unwrap(logits), unwrap(target), std::nullopt,
                                           mean ? at::Reduction::Mean : at::Reduction::None, -100,
                                           label_smoothing));
    });
}

int ct_kl_divergence(CTTensor *log_input, CTTensor *target, CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::kl_div(unwrap(log_input), unwrap(target), at::Reduction::None));
    });
}

int ct_interpolate(CTTensor *x, int64_t height, int64_t width, bool bilinear, bool antialias,
                   CTTensor **out) {
    return guarded([&] {
        const auto &source = unwrap(x);
        // An ArrayRef of the two numbers themselves would outlive them.
        const std::array<int64_t, 2> sides{height, width};
        const at::IntArrayRef size(sides);
        if (!bilinear) {
            *out = wrap(at::upsample_nearest2d(source, at::OptionalIntArrayRef(size), std::nullopt));
        } else if (antialias) {
            *out = wrap(at::_upsample_bilinear2d_aa(source, size, /*align_corners=*/false));
        } else {
            *out = wrap(at::upsample_bilinear2d(source, size, /*align_corners=*/false));
        }
    });
}

int ct_affine_grid(CTTensor *theta, const int64_t *sizes, CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::affine_grid_generator(unwrap(theta), {sizes, 4}, /*align_corners=*/false));
    });
}

int ct_grid_sample(CTTensor *x, CTTensor *grid, CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::grid_sampler(
            unwrap(x), unwrap(grid),
            static_cast<int64_t>(at::native::GridSamplerInterpolation::Bilinear),
            static_cast<int64_t>(at::native::GridSamplerPadding::Zeros), /*align_corners=*/false));
    });
}
