// Element by element, and the matrix product.
#include "support.hpp"

using namespace ctorch;

int ct_neg(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::neg(unwrap(x))); });
}

int ct_abs(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::abs(unwrap(x))); });
}

int ct_sign(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::sign(unwrap(x))); });
}

int ct_exp(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::exp(unwrap(x))); });
}

int ct_log(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::log(unwrap(x))); });
}

int ct_sqrt(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::sqrt(unwrap(x))); });
}

int ct_rsqrt(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::rsqrt(unwrap(x))); });
}

int ct_square(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::square(unwrap(x))); });
}

int ct_reciprocal(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::reciprocal(unwrap(x))); });
}

int ct_sin(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::sin(unwrap(x))); });
}

int ct_cos(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::cos(unwrap(x))); });
}

int ct_tanh(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::tanh(unwrap(x))); });
}

int ct_floor(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::floor(unwrap(x))); });
}

int ct_round(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::round(unwrap(x))); });
}

int ct_sigmoid(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::sigmoid(unwrap(x))); });
}

int ct_relu(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::relu(unwrap(x))); });
}

int ct_silu(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::silu(unwrap(x))); });
}

int ct_is_finite(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::isfinite(unwrap(x))); });
}

int ct_logical_not(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::logical_not(unwrap(x))); });
}

int ct_clamp(CTTensor *x, double lower, double upper, CTTensor **out) {
    return guarded([&] {
        const auto &source = unwrap(x);
        *out = wrap(at::clamp(source, scalarFor(source, lower), scalarFor(source, upper)));
    });
}

int ct_pow_scalar(CTTensor *x, double exponent, CTTensor **out) {
    return guarded([&] { *out = wrap(at::pow(unwrap(x), exponent)); });
}

int ct_add(CTTensor *a, CTTensor *b, double scale, CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::add(unwrap(a), unwrap(b), scalarFor(unwrap(a), scale)));
    });
}

int ct_mul(CTTensor *a, CTTensor *b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::mul(unwrap(a), unwrap(b))); });
}

int ct_div(CTTensor *a, CTTensor *b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::div(unwrap(a), unwrap(b))); });
}

int ct_maximum(CTTensor *a, CTTensor *b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::maximum(unwrap(a), unwrap(b))); });
}

int ct_minimum(CTTensor *a, CTTensor *b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::minimum(unwrap(a), unwrap(b))); });
}

int ct_add_scalar(CTTensor *a, double b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::add(unwrap(a), scalarFor(unwrap(a), b))); });
}

int ct_mul_scalar(CTTensor *a, double b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::mul(unwrap(a), scalarFor(unwrap(a), b))); });
}

int ct_lerp(CTTensor *a, CTTensor *b, double weight, CTTensor **out) {
    return guarded([&] { *out = wrap(at::lerp(unwrap(a), unwrap(b), weight)); });
}

namespace {
template <typename Other>
at::Tensor compare(const at::Tensor &a, const Other &b, int relation) {
    switch (relation) {
        case CT_EQUAL: return at::eq(a, b);
        case CT_NOT_EQUAL: return at::ne(a, b);
        case CT_LESS: return at::lt(a, b);
        case CT_LESS_EQUAL: return at::le(a, b);
        case CT_GREATER: return at::gt(a, b);
        default: return at::ge(a, b);
    }
}
}  // namespace

int ct_compare(CTTensor *a, CTTensor *b, int relation, CTTensor **out) {
    return guarded([&] { *out = wrap(compare(unwrap(a), unwrap(b), relation)); });
}

int ct_compare_scalar(CTTensor *a, double b, int relation, CTTensor **out) {
    return guarded([&] { *out = wrap(compare(unwrap(a), at::Scalar(b), relation)); });
}

int ct_logical_and(CTTensor *a, CTTensor *b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::logical_and(unwrap(a), unwrap(b))); });
}

int ct_all_equal(CTTensor *a, CTTensor *b, bool *result) {
    return guarded([&] { *result = at::equal(unwrap(a), unwrap(b)); });
}

int ct_matmul(CTTensor *a, CTTensor *b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::matmul(unwrap(a), unwrap(b))); });
}

int ct_inplace_add(CTTensor *x, CTTensor *y, double scale) {
    return guarded([&] { unwrap(x).add_(unwrap(y), scalarFor(unwrap(x), scale)); });
}

int ct_inplace_mul(CTTensor *x, CTTensor *y) {
    return guarded([&] { unwrap(x).mul_(unwrap(y)); });
}

int ct_inplace_mul_scalar(CTTensor *x, double y) {
    return guarded([&] { unwrap(x).mul_(scalarFor(unwrap(x), y)); });
}

int ct_inplace_fill(CTTensor *x, double value) {
    return guarded([&] { unwrap(x).fill_(scalarFor(unwrap(x), value)); });
}

int ct_inplace_clamp(CTTensor *x, double lower, double upper) {
    return guarded([&] {
        unwrap(x).clamp_(scalarFor(unwrap(x), lower), scalarFor(unwrap(x), upper));
    });
}

int ct_inplace_index_copy(CTTensor *x, int64_t axis, CTTensor *indices, CTTensor *source) {
    return guarded([&] { unwrap(x).index_copy_(axis, unwrap(indices), unwrap(source)); });
}
