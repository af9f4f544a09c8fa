// Self-attention over short sequences, without copies of queries, keys and values.
#include "kernels_support.hpp"

namespace ctorch {
namespace {

// MARK: - Self-attention

/// [B, T, 3·D] → three of [B, heads, T, D / heads]
std::vector<Tensor> headsOf(const Tensor &qkv, int64_t heads) {
    const auto width = qkv.size(2) / 3 / heads;
    return qkv.reshape({qkv.size(0), qkv.size(1), 3, heads, width})
        .permute({2, 0, 3, 1, 4})
        .unbind(0);
}

/// [B, heads, T, D / heads] → [B, T, D]
Tensor joinedHeads(const Tensor &x) { return x.transpose(1, 2).flatten(2); }

struct SelfAttention : Function<SelfAttention> {
    static Tensor forward(AutogradContext *context, const Tensor &qkv, int64_t heads) {
        context->save_for_backward({qkv});
        context->saved_data["heads"] = heads;
        return run(qkv, heads);
    }

    static AttentionShape shapeOf(const Tensor &qkv, int64_t heads) {
        return {qkv.size(1), heads, qkv.size(2) / 3 / heads};
    }

    static int64_t grain(const AttentionShape &shape) {
        return grainFor(shape.tokens * shape.tokens);
    }

    static Tensor run(const Tensor &input, int64_t heads) {
        const Tensor qkv = input.contiguous();
        const auto shape = shapeOf(qkv, heads);
        const Tensor out = at::empty({qkv.size(0), qkv.size(1), qkv.size(2) / 3}, qkv.options());
        const auto function =
            kernels().attentionForward[qkv.scalar_type() == at::kBFloat16 ? 1 : 0];
        inParallel(qkv.size(0) * heads, grain(shape), [&](int64_t first, int64_t last) {
            function(qkv.const_data_ptr(), out.mutable_data_ptr(), shape, first, last);
        });
        return out;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const int64_t heads = context->saved_data["heads"].toInt();
        if (at::GradMode::is_enabled()) {
            auto all = differentiableGradients(
                [&](const variable_list &inputs) {
                    const auto parts = headsOf(inputs[0], heads);
                    const double scale = 1 / std::sqrt(static_cast<double>(parts[0].size(3)));
                    const auto scores = at::matmul(parts[0] * scale, parts[1].transpose(2, 3));
                    return joinedHeads(at::matmul(at::softmax(scores, -1), parts[2]));
                },
                saved, gradients[0]);
            all.resize(2);
            return all;
        }
        const Tensor qkv = saved[0].contiguous(), dout = gradients[0].contiguous();
        const auto shape = shapeOf(qkv, heads);
        const Tensor dqkv = at::empty_like(qkv);
        const auto function =
            kernels().attentionBackward[qkv.scalar_type() == at::kBFloat16 ? 1 : 0];
        inParallel(qkv.size(0) * heads, grain(shape), [&](int64_t first, int64_t last) {
            function(dout.const_data_ptr(), qkv.const_data_ptr(), dqkv.mutable_data_ptr(), shape,
                     first, last);
        });
        return {dqkv, Tensor()};
    }
};

/// Sequences up to this length have whole rows of scores in the caches.
constexpr int64_t longestSequence = 1024;

Tensor selfAttention(const Tensor &input, int64_t heads) {
    TORCH_CHECK(input.dim() == 3 && heads > 0 && input.size(2) % (3 * heads) == 0,
                "expected [B, T, 3·D] with D a multiple of ", heads, " heads");
    const auto type = productType(input, input.scalar_type());
    const bool isFused = isFusable(input) && (type == at::kFloat || type == at::kBFloat16) &&
                         input.size(1) <= longestSequence &&
                         (type == at::kFloat || input.size(2) / 3 / heads % 2 == 0);
    if (!isFused) {
        const auto parts = headsOf(input, heads);
        return joinedHeads(at::scaled_dot_product_attention(parts[0], parts[1], parts[2]));
    }
    const Tensor qkv = input.to(type);
    return at::GradMode::is_enabled() ? SelfAttention::apply(qkv, heads)
                                      : SelfAttention::run(qkv, heads);
}

}  // namespace
}  // namespace ctorch

using namespace ctorch;

int ct_self_attention(CTTensor *qkv, int64_t heads, CTTensor **out) {
    return guarded([&] { *out = wrap(selfAttention(unwrap(qkv), heads)); });
}
