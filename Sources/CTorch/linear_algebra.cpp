// Decompositions of matrices.
#include "support.hpp"

using namespace ctorch;

int ct_eigh(CTTensor *x, CTTensor **values, CTTensor **vectors) {
    return guarded([&] {
        auto [found, columns] = at::linalg_eigh(unwrap(x), "L");
        *values = wrap(found);
        *vectors = wrap(columns);
    });
}

int ct_eigvalsh(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(at::linalg_eigvalsh(unwrap(x), "L")); });
}
