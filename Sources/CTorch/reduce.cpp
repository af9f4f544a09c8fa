// Reductions.
#include "support.hpp"

using namespace ctorch;

int ct_sum(CTTensor *x, const int64_t *axes, size_t count, bool keep, CTTensor **out) {
    return guarded([&] { *out = wrap(at::sum(unwrap(x), at::IntArrayRef(axes, count), keep)); });
}

int ct_mean(CTTensor *x, const int64_t *axes, size_t count, bool keep, CTTensor **out) {
    return guarded([&] { *out = wrap(at::mean(unwrap(x), at::IntArrayRef(axes, count), keep)); });
}

int ct_amax(CTTensor *x, const int64_t *axes, size_t count, bool keep, CTTensor **out) {
    return guarded([&] { *out = wrap(at::amax(unwrap(x), at::IntArrayRef(axes, count), keep)); });
}

int ct_amin(CTTensor *x, const int64_t *axes, size_t count, bool keep, CTTensor **out) {
    return guarded([&] { *out = wrap(at::amin(unwrap(x), at::IntArrayRef(axes, count), keep)); });
}

int ct_var(CTTensor *x, const int64_t *axes, size_t count, double correction, bool keep,
           CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::var(unwrap(x), at::IntArrayRef(axes, count), at::Scalar(correction), keep));
    });
}

int ct_norm(CTTensor *x, const int64_t *axes, size_t count, double order, bool keep,
            CTTensor **out) {
    return guarded([&] {
        at::OptionalIntArrayRef list;
        if (count > 0) list = at::IntArrayRef(axes, count);
        *out = wrap(at::linalg_vector_norm(unwrap(x), order, list, keep));
    });
}

int ct_argmax(CTTensor *x, int64_t axis, bool keep, CTTensor **out) {
    return guarded([&] { *out = wrap(at::argmax(unwrap(x), axis, keep)); });
}

int ct_argmin(CTTensor *x, int64_t axis, bool keep, CTTensor **out) {
    return guarded([&] { *out = wrap(at::argmin(unwrap(x), axis, keep)); });
}

int ct_max_all(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(std::get<0>(at::max(unwrap(x).flatten(), 0))); });
}

int ct_min_all(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(std::get<0>(at::min(unwrap(x).flatten(), 0))); });
}

int ct_cumsum(CTTensor *x, int64_t axis, CTTensor **out) {
    return guarded([&] { *out = wrap(at::cumsum(unwrap(x), axis)); });
}

int ct_topk(CTTensor *x, int64_t k, int64_t axis, bool largest, CTTensor **values,
            CTTensor **indices) {
    return guarded([&] {
        auto [found, places] = at::topk(unwrap(x), k, axis, largest);
        *values = wrap(found);
        *indices = wrap(places);
    });
}

int ct_sort(CTTensor *x, int64_t axis, bool descending, CTTensor **values, CTTensor **indices) {
    return guarded([&] {
        auto [sorted, places] = at::sort(unwrap(x), /*stable=*/true, axis, descending);
        *values = wrap(sorted);
        *indices = wrap(places);
    });
}

int ct_softmax(CTTensor *x, int64_t axis, CTTensor **out) {
    return guarded([&] { *out = wrap(at::softmax(unwrap(x), axis)); });
}

int ct_log_softmax(CTTensor *x, int64_t axis, CTTensor **out) {
    return guarded([&] { *out = wrap(at::log_softmax(unwrap(x), axis)); });
}
