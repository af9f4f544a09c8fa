// Products with weights and scale factors, with the sums over all rows that their gradients need.
#include "kernels_support.hpp"

namespace ctorch {
namespace {

// MARK: - x·Wᵀ + b in bfloat16

/// libtorch's linear layer, but for the gradient of the bias: one pass, summed in float32.
struct BrainLinear : Function<BrainLinear> {
    static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &weight,
                          const Tensor &bias) {
        context->save_for_backward({x, weight, bias});
        return at::linear(x, weight, bias.to(at::kBFloat16));
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
        if (at::GradMode::is_enabled()) {
            return differentiableGradients(
                [](const variable_list &inputs) {
                    return at::linear(inputs[0], inputs[1], inputs[2].to(at::kBFloat16));
                },
                saved, gradients[0]);
        }
        const Tensor dy = gradients[0].reshape({-1, weight.size(0)}).contiguous();
        variable_list results(3);
        if (context->needs_input_grad(0)) results[0] = at::mm(dy, weight).view(x.sizes());
        if (context->needs_input_grad(1)) {
            results[1] = at::mm(dy.t(), x.reshape({-1, weight.size(1)}));
        }
        if (context->needs_input_grad(2)) {
            const Tensor sums = at::empty({weight.size(0)}, at::kFloat);
            const auto function = kernels().columnSums;
            // Whole cache lines, and enough of them to be worth a thread.
            constexpr int64_t columns = 64;
            const int64_t width = weight.size(0), rows = dy.size(0);
            inParallel((width + columns - 1) / columns, grainFor(rows * columns),
                       [&](int64_t first, int64_t last) {
                           function(static_cast<const Brain *>(dy.const_data_ptr()),
                                    sums.mutable_data_ptr<float>(), rows, width, first * columns,
                                    std::min(last * columns, width));
                       });
            results[2] = sums.to(bias.scalar_type());
        }
        return results;
    }
};

Tensor linearLayer(const Tensor &x, const Tensor &weight, const std::optional<Tensor> &bias) {
    const bool isFused = at::GradMode::is_enabled() && bias.has_value() && x.dim() >= 1 &&
                         weight.dim() == 2 && bias->dim() == 1 && bias->requires_grad() &&
                         isFusable(x) && isFusable(weight) && isFusable(*bias) &&
                         productType(x, x.scalar_type()) == at::kBFloat16 &&
                         (at::autocast::is_autocast_enabled(at::kCPU) ||
                          weight.scalar_type() == at::kBFloat16);
    if (!isFused) return at::linear(x, weight, bias);
    const auto cast = [](const Tensor &tensor) {
        return at::autocast::cached_cast(at::kBFloat16, tensor, at::kCPU);
    };
    return BrainLinear::apply(cast(x), cast(weight), *bias);
}

// MARK: - x·vector

struct ScaleRows : Function<ScaleRows> {
    static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &vector) {
        context->save_for_backward({x, vector});
        return run(x, vector);
    }

    static RowShape shapeOf(const Tensor &x) { return {1, x.size(-1)}; }

    static Tensor run(const Tensor &input, const Tensor &vector) {
        const Tensor x = input.contiguous(), scale = vector.to(at::kFloat).contiguous();
        const Tensor y = at::empty_like(x);
        const auto function = kernels().gateForward[x.scalar_type() == at::kFloat ? FF : BB];
        const ImageVectors scales{scale.const_data_ptr<float>(), 0};
        inParallel(x.numel() / x.size(-1), grainFor(x.size(-1)), [&](int64_t first, int64_t last) {
            function(nullptr, x.const_data_ptr(), scales, y.mutable_data_ptr(), shapeOf(x), first,
                     last);
        });
        return y;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        if (at::GradMode::is_enabled()) {
            return differentiableGradients(
                [](const variable_list &inputs) {
                    return inputs[0] * inputs[1].to(inputs[0].scalar_type());
                },
                saved, gradients[0]);
        }
        const Tensor x = saved[0].contiguous(), scale = saved[1].to(at::kFloat).contiguous();
        const Tensor dy = gradients[0].contiguous();
        // Sums over groups of rows first: they are the same for any number of threads.
        const int64_t rows = x.numel() / x.size(-1), width = x.size(-1);
        constexpr int64_t group = 64;
        const int64_t groups = (rows + group - 1) / group;
        const Tensor dx = at::empty_like(x);
        const Tensor sums = at::empty({groups, width}, at::kFloat);
        const auto function = kernels().gateBackward[x.scalar_type() == at::kFloat ? FF : BB];
        const ImageVectors scales{scale.const_data_ptr<float>(), 0};
        const auto size = x.element_size();
        inParallel(groups, grainFor(group * width), [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const int64_t offset = i * group * width * size;
                const auto at = [&](const Tensor &tensor) {
                    return static_cast<char *>(tensor.data_ptr()) + offset;
                };
                function(at(dy), at(x), scales, at(dx), sums.mutable_data_ptr<float>() + i * width,
                         {std::min(group, rows - i * group), width}, 0, 1);
            }
        });
        return {dx, sums.sum(0).to(saved[1].scalar_type())};
    }
};

/// As in a matrix product, autocast decides the type.
Tensor scaleRows(const Tensor &input, const Tensor &vector) {
    const auto type =
        productType(input, at::promote_types(input.scalar_type(), vector.scalar_type()));
    const bool isFused = isFusable(input) && isFusable(vector) && input.dim() >= 1 &&
                         vector.dim() == 1 && vector.size(0) == input.size(-1) &&
                         (type == at::kFloat || type == at::kBFloat16);
    if (!isFused) return input.to(type) * vector.to(type);
    const Tensor x = input.to(type);
    return at::GradMode::is_enabled() ? ScaleRows::apply(x, vector) : ScaleRows::run(x, vector);
}

}  // namespace
}  // namespace ctorch

using namespace ctorch;

int ct_linear(CTTensor *x, CTTensor *weight, CTTensor *bias, CTTensor **out) {
    return guarded([&] {
        *out = wrap(linearLayer(unwrap(x), unwrap(weight), unwrapOptional(bias)));
    });
}

int ct_scale_rows(CTTensor *x, CTTensor *vector, CTTensor **out) {
    return guarded([&] { *out = wrap(scaleRows(unwrap(x), unwrap(vector))); });
}
