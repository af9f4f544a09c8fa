// Loops on libtorch's threads.
#pragma once

#include "support.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>

namespace ctorch {

/// Calls `body(first, last)` for parts of 0..<count on libtorch's threads.
///
/// `at::parallel_for` is a template that needs the OpenMP of libtorch's own compiler here; an
/// iterator over a tensor of `count` bytes, which are never touched, brings the same threads.
template <typename Body>
void inParallel(int64_t count, int64_t grain, const Body &body) {
    if (count <= grain || at::get_num_threads() == 1) return body(int64_t{0}, count);
    const at::Tensor items = at::empty({count}, at::kByte);
    const auto *base = static_cast<const char *>(items.const_data_ptr());
    auto iterator = at::TensorIteratorConfig()
                        .add_output(items)
                        .resize_outputs(false)
                        .check_all_same_dtype(false)
                        .declare_static_dtype_and_device(at::kByte, at::kCPU)
                        .build();
    iterator.for_each(
        [&](char **data, const int64_t *strides, int64_t inner, int64_t outer) {
            for (int64_t i = 0; i < outer; ++i) {
                const int64_t first = data[0] + i * strides[1] - base;
                body(first, first + inner);
            }
        },
        grain);
}

}  // namespace ctorch
