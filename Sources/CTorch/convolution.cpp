// The gradient of a convolution's kernel on small maps, as one product of matrices.
//
// oneDNN sums over the pixels of a line at a time and fills its registers with zeros where a line
// ends: on maps of 4×4 pixels, the last ones of ResNet-18 at 28 or 32 pixels, seven eighths of its
// products are with zeros, and the gradients of three kernels take a quarter of a training step in
// bfloat16. Over all pixels of all images there is no end to fill.
#include "kernels_support.hpp"

#include <torch/csrc/autograd/custom_function.h>

using namespace ctorch;

namespace {

using Context = torch::autograd::AutogradContext;
using List = torch::autograd::variable_list;

/// Lines of up to so many pixels are short; on longer ones oneDNN is as fast.
constexpr int64_t shortLine = 8;

/// Σ over images and pixels of ∂y ⊗ window: x [B, C, H, W], ∂y [B, O, h, w] → [O, C, k, k].
at::Tensor kernelGradient(const at::Tensor &gradient, const at::Tensor &x, int64_t size,
                          int64_t stride, int64_t padding) {
    const int64_t images = x.size(0), channels = x.size(1);
    const int64_t outputs = gradient.size(1), height = gradient.size(2), width = gradient.size(3);
    // Channels last, every window is a row of a few long pieces of memory.
    const auto padded =
        at::constant_pad_nd(x.permute({0, 2, 3, 1}), {0, 0, padding, padding, padding, padding})
            .contiguous();
    const int64_t line = padded.size(2) * channels;
    const auto windows =
        padded
            .as_strided({images, height, width, size, size, channels},
                        {padded.size(1) * line, stride * line, stride * channels, line, channels, 1})
            .reshape({images * height * width, size * size * channels});
    const auto pixels = gradient.permute({0, 2, 3, 1}).reshape({-1, outputs});
    return at::mm(pixels.t(), windows)
        .view({outputs, size, size, channels})
        .permute({0, 3, 1, 2});
}

struct SmallMapConvolution : torch::autograd::Function<SmallMapConvolution> {
    static at::Tensor forward(Context *context, const at::Tensor &x, const at::Tensor &weight,
                              int64_t stride, int64_t padding) {
        context->save_for_backward({x, weight});
        context->saved_data["stride"] = stride;
        context->saved_data["padding"] = padding;
        return at::conv2d(x, weight, {}, {stride, stride}, {padding, padding});
    }

    static List backward(Context *context, List gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &weight = saved[1];
        const int64_t stride = context->saved_data["stride"].toInt();
        const int64_t padding = context->saved_data["padding"].toInt();
        const bool isFast = !at::GradMode::is_enabled();
        const bool needsX = context->needs_input_grad(0), needsW = context->needs_input_grad(1);
        at::Tensor dx, dw;
        if (needsX || !isFast) {
            // libtorch's own can be differentiated itself.
            const auto found = at::convolution_backward(
                gradients[0], x, weight, at::OptionalIntArrayRef(), {stride, stride},
                {padding, padding}, {1, 1}, /*transposed=*/false, {0, 0}, /*groups=*/1,
                {needsX, needsW && !isFast, false});
            dx = std::get<0>(found);
            dw = std::get<1>(found);
        }
        if (needsW && isFast) dw = kernelGradient(gradients[0], x, weight.size(2), stride, padding);
        return {dx, dw, {}, {}};
    }
};

at::Tensor convolution(const at::Tensor &x, const at::Tensor &weight,
                       const std::optional<at::Tensor> &bias, int64_t stride, int64_t padding,
                       int64_t groups) {
    const auto isBFloat16 = [](const at::Tensor &tensor) {
        return isFusable(tensor) && productType(tensor, tensor.scalar_type()) == at::kBFloat16;
    };
    const bool isPlain = at::GradMode::is_enabled() && weight.requires_grad() && x.dim() == 4 &&
                         weight.dim() == 4 && x.size(1) == weight.size(1) && x.size(1) > 1 &&
                         weight.size(2) == weight.size(3) && groups == 1 && !bias.has_value() &&
                         isBFloat16(x) && isBFloat16(weight);
    const int64_t width =
        isPlain ? (x.size(3) + 2 * padding - weight.size(3)) / stride + 1 : 0;
    if (!isPlain || width < 1 || width > shortLine) {
        return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding}, {1, 1}, groups);
    }
    const auto cast = [](const at::Tensor &tensor) {
        return at::autocast::cached_cast(at::kBFloat16, tensor, at::kCPU);
    };
    return SmallMapConvolution::apply(cast(x), cast(weight), stride, padding);
}

}  // namespace

int ct_conv2d(CTTensor *x, CTTensor *weight, CTTensor *bias, int64_t stride, int64_t padding,
              int64_t groups, CTTensor **out) {
    return guarded([&] {
        *out = wrap(convolution(unwrap(x), unwrap(weight), unwrapOptional(bias), stride, padding,
                                groups));
    });
}
