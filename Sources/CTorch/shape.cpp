// Views, joins, selections.
#include "support.hpp"

using namespace ctorch;

int ct_reshape(CTTensor *x, const int64_t *sizes, size_t rank, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).reshape({sizes, rank})); });
}

int ct_permute(CTTensor *x, const int64_t *axes, size_t rank, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).permute({axes, rank})); });
}

int ct_transpose(CTTensor *x, int64_t a, int64_t b, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).transpose(a, b)); });
}

int ct_expand(CTTensor *x, const int64_t *sizes, size_t rank, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).expand({sizes, rank})); });
}

int ct_flatten(CTTensor *x, int64_t from, int64_t to, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).flatten(from, to)); });
}

int ct_squeeze(CTTensor *x, int64_t axis, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).squeeze(axis)); });
}

int ct_unsqueeze(CTTensor *x, int64_t axis, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).unsqueeze(axis)); });
}

int ct_slice(CTTensor *x, int64_t axis, int64_t start, int64_t end, int64_t step, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).slice(axis, start, end, step)); });
}

int ct_select(CTTensor *x, int64_t axis, int64_t index, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).select(axis, index)); });
}

int ct_cat(CTTensor *const *list, size_t count, int64_t axis, CTTensor **out) {
    return guarded([&] { *out = wrap(at::cat(unwrapList(list, count), axis)); });
}

int ct_stack(CTTensor *const *list, size_t count, int64_t axis, CTTensor **out) {
    return guarded([&] { *out = wrap(at::stack(unwrapList(list, count), axis)); });
}

int ct_chunk(CTTensor *x, int64_t pieces, int64_t axis, CTTensor **out) {
    return guarded([&] {
        TORCH_CHECK(pieces > 0 && unwrap(x).size(axis) % pieces == 0, "an axis of ",
                    unwrap(x).size(axis), " elements has no ", pieces, " equal pieces");
        const auto list = unwrap(x).chunk(pieces, axis);
        for (size_t i = 0; i < list.size(); ++i) out[i] = wrap(list[i]);
    });
}

int ct_index_select(CTTensor *x, int64_t axis, CTTensor *indices, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).index_select(axis, unwrap(indices))); });
}

int ct_gather(CTTensor *x, int64_t axis, CTTensor *indices, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).gather(axis, unwrap(indices))); });
}

int ct_masked_select(CTTensor *x, CTTensor *mask, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).masked_select(unwrap(mask))); });
}

int ct_flip(CTTensor *x, const int64_t *axes, size_t count, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).flip({axes, count})); });
}

int ct_roll(CTTensor *x, int64_t shift, int64_t axis, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).roll(shift, axis)); });
}

int ct_repeat(CTTensor *x, const int64_t *repeats, size_t count, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).repeat({repeats, count})); });
}

int ct_pad(CTTensor *x, const int64_t *padding, size_t count, double value, CTTensor **out) {
    return guarded([&] { *out = wrap(at::constant_pad_nd(unwrap(x), {padding, count}, value)); });
}

int ct_where(CTTensor *mask, CTTensor *a, CTTensor *b, CTTensor **out) {
    return guarded([&] { *out = wrap(at::where(unwrap(mask), unwrap(a), unwrap(b))); });
}

int ct_one_hot(CTTensor *labels, int64_t classes, CTTensor **out) {
    return guarded([&] { *out = wrap(at::one_hot(unwrap(labels), classes)); });
}
