// Normalisation, gate and GELU of a transformer block, each in one pass over memory.
#include "kernels_support.hpp"

namespace ctorch {
namespace {

// MARK: - LN(x)·(1 + scale) + shift

Tensor composedNorm(const Tensor &x, const Tensor &shift, const Tensor &scale, double epsilon) {
    // A sum with 1 has more digits than bfloat16.
    const auto wide = at::promote_types(scale.scalar_type(), at::kFloat);
    return at::layer_norm(x, {x.size(-1)}, {}, {}, epsilon) * (scale.to(wide) + 1) + shift;
}

struct NormModulate : Function<NormModulate> {
    static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &shift,
                          const Tensor &scale, double epsilon, int64_t type) {
        const Tensor statistics = at::empty({x.size(0) * x.size(1), 2}, at::kFloat);
        const Tensor y = run(x, shift, scale, epsilon, type, statistics);
        context->save_for_backward({x, shift, scale, statistics});
        context->saved_data["epsilon"] = epsilon;
        return y;
    }

    static Tensor run(const Tensor &input, const Tensor &shift, const Tensor &scale,
                      double epsilon, int64_t type, const Tensor &statistics) {
        const Tensor x = input.contiguous();
        const Vectors shifts(shift), scales(scale);
        const auto y = at::empty(x.sizes(), x.options().dtype(static_cast<at::ScalarType>(type)));
        const auto function = kernels().normForward[typesOf(x.scalar_type(), y.scalar_type())];
        float *kept = statistics.defined() ? statistics.mutable_data_ptr<float>() : nullptr;
        inParallel(x.size(0) * x.size(1), grainFor(x.size(2)), [&](int64_t first, int64_t last) {
            function(x.const_data_ptr(), shifts, scales, y.mutable_data_ptr(), kept, epsilon,
                     rowShape(x), first, last);
        });
        return y;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const double epsilon = context->saved_data["epsilon"].toDouble();
        if (at::GradMode::is_enabled()) {
            auto all = differentiableGradients(
                [&](const variable_list &inputs) {
                    return composedNorm(inputs[0], inputs[1], inputs[2], epsilon)
                        .to(gradients[0].scalar_type());
                },
                {saved[0], saved[1], saved[2]}, gradients[0]);
            all.resize(5);
            return all;
        }
        const Tensor x = saved[0].contiguous();
        const Tensor dy = gradients[0].contiguous();
        const Vectors scales(saved[2]);
        const Tensor dx = at::empty_like(x);
        const Tensor dshift = at::empty({x.size(0), x.size(2)}, at::kFloat);
        const Tensor dscale = at::empty_like(dshift);
        const auto function = kernels().normBackward[typesOf(x.scalar_type(), dy.scalar_type())];
        inParallel(x.size(0), grainFor(x.size(1) * x.size(2)), [&](int64_t first, int64_t last) {
            function(dy.const_data_ptr(), x.const_data_ptr(), scales,
                     saved[3].const_data_ptr<float>(), dx.mutable_data_ptr(),
                     dshift.mutable_data_ptr<float>(), dscale.mutable_data_ptr<float>(),
                     rowShape(x), first, last);
        });
        return {dx, asGradientOf(saved[1], dshift), asGradientOf(saved[2], dscale), Tensor(),
                Tensor()};
    }
};

Tensor normModulate(const Tensor &x, const Tensor &shift, const Tensor &scale, double epsilon) {
    const auto type = productType(
        x, at::promote_types(x.scalar_type(),
                             at::promote_types(shift.scalar_type(), scale.scalar_type())));
    const bool isFused = isFusable(x) && x.dim() == 3 && isOneAnImage(shift, x) &&
                         isOneAnImage(scale, x) &&
                         (type == at::kFloat || type == at::kBFloat16) &&
                         typesOf(x.scalar_type(), type) != typeCount;
    if (!isFused) return composedNorm(x, shift, scale, epsilon).to(type);
    if (!at::GradMode::is_enabled()) {
        return NormModulate::run(x, shift, scale, epsilon, static_cast<int64_t>(type), {});
    }
    return NormModulate::apply(x, shift, scale, epsilon, static_cast<int64_t>(type));
}

// MARK: - x + gate·y

struct AddGated : Function<AddGated> {
    static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &y,
                          const Tensor &gate) {
        context->save_for_backward({x, y, gate});
        return run(x, y, gate);
    }

    static Tensor run(const Tensor &xInput, const Tensor &yInput, const Tensor &gate) {
        const Tensor x = xInput.contiguous(), y = yInput.contiguous();
        const Vectors gates(gate);
        const Tensor out = at::empty_like(x);
        const auto function = kernels().gateForward[typesOf(x.scalar_type(), y.scalar_type())];
        inParallel(x.size(0) * x.size(1), grainFor(x.size(2)), [&](int64_t first, int64_t last) {
            function(x.const_data_ptr(), y.const_data_ptr(), gates, out.mutable_data_ptr(),
                     rowShape(x), first, last);
        });
        return out;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        if (at::GradMode::is_enabled()) {
            return differentiableGradients(
                [](const variable_list &inputs) { return inputs[0] + inputs[2] * inputs[1]; },
                {saved[0], saved[1], saved[2]}, gradients[0]);
        }
        const Tensor dout = gradients[0].contiguous();
        const Tensor y = saved[1].contiguous();
        const Vectors gates(saved[2]);
        const Tensor dy = at::empty_like(y);
        const Tensor dgate = at::empty({y.size(0), y.size(2)}, at::kFloat);
        const auto function = kernels().gateBackward[typesOf(dout.scalar_type(), y.scalar_type())];
        inParallel(y.size(0), grainFor(y.size(1) * y.size(2)), [&](int64_t first, int64_t last) {
            function(dout.const_data_ptr(), y.const_data_ptr(), gates, dy.mutable_data_ptr(),
                     dgate.mutable_data_ptr<float>(), rowShape(y), first, last);
        });
        return {gradients[0], dy, asGradientOf(saved[2], dgate)};
    }
};

Tensor addGated(const Tensor &x, const Tensor &y, const Tensor &gate) {
    const auto type = at::promote_types(
        x.scalar_type(), at::promote_types(y.scalar_type(), gate.scalar_type()));
    const bool isFused = isFusable(x) && isFusable(y) && x.dim() == 3 && x.sizes() == y.sizes() &&
                         isOneAnImage(gate, x) && type == x.scalar_type();
    if (!isFused) return x + gate * y;
    return at::GradMode::is_enabled() ? AddGated::apply(x, y, gate) : AddGated::run(x, y, gate);
}

// MARK: - GELU

struct BrainGelu : Function<BrainGelu> {
    static Tensor forward(AutogradContext *context, const Tensor &x) {
        context->save_for_backward({x});
        return run(x);
    }

    static Tensor run(const Tensor &input) {
        const Tensor x = input.contiguous();
        const Tensor y = at::empty_like(x);
        const auto function = kernels().geluForward;
        inParallel(x.numel(), grainElements, [&](int64_t first, int64_t last) {
            function(static_cast<const Brain *>(x.const_data_ptr()),
                     static_cast<Brain *>(y.mutable_data_ptr()), first, last);
        });
        return y;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        if (at::GradMode::is_enabled()) {
            return differentiableGradients(
                [](const variable_list &inputs) { return at::gelu(inputs[0], "tanh"); }, saved,
                gradients[0]);
        }
        const Tensor x = saved[0].contiguous(), dy = gradients[0].contiguous();
        const Tensor dx = at::empty_like(x);
        const auto function = kernels().geluBackward;
        inParallel(x.numel(), grainElements, [&](int64_t first, int64_t last) {
            function(static_cast<const Brain *>(dy.const_data_ptr()),
                     static_cast<const Brain *>(x.const_data_ptr()),
                     static_cast<Brain *>(dx.mutable_data_ptr()), first, last);
        });
        return {dx};
    }
};

/// In float32 libtorch's own loop is as good, and reproduces its numbers.
Tensor tanhGelu(const Tensor &x) {
    if (!isFusable(x) || x.scalar_type() != at::kBFloat16) return at::gelu(x, "tanh");
    return at::GradMode::is_enabled() ? BrainGelu::apply(x) : BrainGelu::run(x);
}

}  // namespace
}  // namespace ctorch

using namespace ctorch;

int ct_norm_modulate(CTTensor *x, CTTensor *shift, CTTensor *scale, double epsilon,
                     CTTensor **out) {
    return guarded([&] {
        *out = wrap(normModulate(unwrap(x), unwrap(shift), unwrap(scale), epsilon));
    });
}

int ct_add_gated(CTTensor *x, CTTensor *y, CTTensor *gate, CTTensor **out) {
    return guarded([&] { *out = wrap(addGated(unwrap(x), unwrap(y), unwrap(gate))); });
}

int ct_gelu(CTTensor *x, bool tanh_approximation, CTTensor **out) {
    return guarded([&] {
        *out = wrap(tanh_approximation ? tanhGelu(unwrap(x)) : at::gelu(unwrap(x)));
    });
}
