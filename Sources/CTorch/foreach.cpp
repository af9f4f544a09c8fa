// One call for many tensors: what optimizers and averages need.
#include "support.hpp"

using namespace ctorch;

int ct_foreach_add(CTTensor *const *x, CTTensor *const *y, size_t count, double scale) {
    return guarded([&] {
        at::_foreach_add_(unwrapList(x, count), unwrapList(y, count), scale);
    });
}

int ct_foreach_add_scalar(CTTensor *const *x, size_t count, double y) {
    return guarded([&] { at::_foreach_add_(unwrapList(x, count), at::Scalar(y)); });
}

int ct_foreach_mul_scalar(CTTensor *const *x, size_t count, double y) {
    return guarded([&] { at::_foreach_mul_(unwrapList(x, count), at::Scalar(y)); });
}

int ct_foreach_lerp(CTTensor *const *x, CTTensor *const *y, size_t count, double weight) {
    return guarded([&] {
        at::_foreach_lerp_(unwrapList(x, count), unwrapList(y, count), at::Scalar(weight));
    });
}

int ct_foreach_copy(CTTensor *const *x, CTTensor *const *y, size_t count) {
    return guarded([&] { at::_foreach_copy_(unwrapList(x, count), unwrapList(y, count)); });
}

int ct_foreach_total_norm(CTTensor *const *x, size_t count, CTTensor **out) {
    return guarded([&] {
        const auto norms = at::_foreach_norm(unwrapList(x, count));
        *out = wrap(at::linalg_vector_norm(at::stack(norms)));
    });
}

int ct_fused_adamw(CTTensor *const *parameters, CTTensor *const *gradients,
                   CTTensor *const *first_moments, CTTensor *const *second_moments,
                   CTTensor *const *steps, size_t count, double learning_rate, double beta1,
                   double beta2, double weight_decay, double epsilon) {
    return guarded([&] {
        at::_fused_adamw_(unwrapList(parameters, count), unwrapList(gradients, count),
                          unwrapList(first_moments, count), unwrapList(second_moments, count), {},
                          unwrapList(steps, count), learning_rate, beta1, beta2, weight_decay,
                          epsilon, /*amsgrad=*/false, /*maximize=*/false);
    });
}

int ct_fused_sgd(CTTensor *const *parameters, CTTensor *const *gradients,
                 CTTensor *const *momentum_buffers, size_t count, double learning_rate,
                 double momentum, double weight_decay, bool first_step) {
    return guarded([&] {
        std::vector<at::Tensor> buffers;
        if (momentum_buffers != nullptr) buffers = unwrapList(momentum_buffers, count);
        at::_fused_sgd_(unwrapList(parameters, count), unwrapList(gradients, count), buffers,
                        weight_decay, momentum, learning_rate, /*dampening=*/0, /*nesterov=*/false,
                        /*maximize=*/false, first_step);
    });
}
