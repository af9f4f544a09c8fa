// What the operations with fused loops share: threads, element types, second derivatives.
#pragma once

#include "kernels.hpp"
#include "parallel.hpp"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace ctorch {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// About how many elements are worth a thread of their own.
constexpr int64_t grainElements = 16384;

inline int64_t grainFor(int64_t elementsOfOne) {
    return std::max<int64_t>(1, grainElements / std::max<int64_t>(1, elementsOfOne));
}

inline bool isFusable(const Tensor &x) {
    return usesLoops() && x.device().is_cpu() && x.layout() == at::kStrided && x.numel() > 0 &&
           (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

/// What matrix products are computed in now: the type of autocast, or that of the operands.
inline at::ScalarType productType(const Tensor &x, at::ScalarType type) {
    return at::autocast::is_autocast_enabled(x.device().type())
               ? at::autocast::get_autocast_dtype(x.device().type())
               : type;
}

inline Types typesOf(at::ScalarType x, at::ScalarType y) {
    if (x == at::kFloat) return y == at::kFloat ? FF : FB;
    return y == at::kBFloat16 ? BB : typeCount;
}

inline RowShape rowShape(const Tensor &x) { return {x.size(1), x.size(2)}; }

/// Whether `vectors` is [B, 1, D] for an x of [B, T, D].
inline bool isOneAnImage(const Tensor &vectors, const Tensor &x) {
    return isFusable(vectors) && vectors.dim() == 3 && vectors.size(0) == x.size(0) &&
           vectors.size(1) == 1 && vectors.size(2) == x.size(2);
}

/// Shift, scale or gate as the loops want them; owns what it had to convert.
struct Vectors {
    Tensor owner;
    explicit Vectors(const Tensor &x) : owner(x.to(at::kFloat)) {
        if (owner.stride(2) != 1) owner = owner.contiguous();
    }
    operator ImageVectors() const { return {owner.const_data_ptr<float>(), owner.stride(0)}; }
};

inline Tensor asGradientOf(const Tensor &input, const Tensor &sums) {
    return sums.view({sums.size(0), 1, sums.size(1)}).to(input.scalar_type());
}

/// The gradients of `composite(inputs)` with a graph of their own.
template <typename Composite>
variable_list differentiableGradients(const Composite &composite, const variable_list &inputs,
                                      const Tensor &outputGradient) {
    // Views of their own: one input may depend on another, but only the step itself counts here.
    variable_list views, wanted;
    for (const auto &input : inputs) {
        views.push_back(input.view_as(input));
        if (input.requires_grad()) wanted.push_back(views.back());
    }
    const auto found =
        torch::autograd::grad({composite(views)}, wanted, {outputGradient},
                              /*retain_graph=*/true, /*create_graph=*/true, /*allow_unused=*/true);
    variable_list gradients;
    auto next = found.begin();
    for (const auto &input : inputs) {
        gradients.push_back(input.requires_grad() ? *next++ : Tensor());
    }
    return gradients;
}

}  // namespace ctorch
