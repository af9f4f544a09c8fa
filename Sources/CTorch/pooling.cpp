// Pooling of maps in the order of channels, rows, columns, which residual networks with instance
// norms prefer. libtorch goes window by window there, which takes a fifth of a training step of
// ResNetAP-10 and a tenth of one of ResNet-18 in bfloat16; here inner loops run along the rows.
#include "loops.hpp"
#include "parallel.hpp"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

using namespace ctorch;

namespace {

using Context = torch::autograd::AutogradContext;
using List = torch::autograd::variable_list;

template <typename T>
T *pointer(const at::Tensor &tensor) {
    return static_cast<T *>(tensor.data_ptr());
}

bool isPlain(const at::Tensor &x) {
    return x.dim() == 4 && x.is_cpu() && x.is_contiguous() && x.numel() > 0 &&
           (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

/// Runs `body` with the number of each of `count` rows.
template <typename Body>
void forEveryRow(int64_t count, int64_t width, const Body &body) {
    inParallel(count, std::max<int64_t>(1, (1 << 14) / width), [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) body(row);
    });
}

// MARK: - The mean of every 2×2 window

/// `upper` and `lower` are rows of 2·width numbers.
CT_FOR_EVERY_PROCESSOR void meanRow(const float *upper, const float *lower, int64_t width,
                                    float *out) {
    for (int64_t j = 0; j < width; ++j) {
        out[j] = (upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]) * 0.25F;
    }
}

CT_FOR_EVERY_PROCESSOR void meanRow(const uint16_t *upper, const uint16_t *lower, int64_t width,
                                    uint16_t *out) {
    for (int64_t j = 0; j < width; ++j) {
        const float sum = load(upper + 2 * j) + load(upper + 2 * j + 1) + load(lower + 2 * j) +
                          load(lower + 2 * j + 1);
        store(out + j, sum * 0.25F);
    }
}

/// A quarter of every number of a row goes to the four numbers of its window.
CT_FOR_EVERY_PROCESSOR void spreadRow(const float *row, int64_t width, float *upper,
                                      float *lower) {
    for (int64_t j = 0; j < width; ++j) {
        const float quarter = row[j] * 0.25F;
        upper[2 * j] = upper[2 * j + 1] = lower[2 * j] = lower[2 * j + 1] = quarter;
    }
}

CT_FOR_EVERY_PROCESSOR void spreadRow(const uint16_t *row, int64_t width, uint16_t *upper,
                                      uint16_t *lower) {
    for (int64_t j = 0; j < width; ++j) {
        uint16_t quarter;
        store(&quarter, load(row + j) * 0.25F);
        upper[2 * j] = upper[2 * j + 1] = lower[2 * j] = lower[2 * j + 1] = quarter;
    }
}

template <typename T>
void meanRows(const at::Tensor &x, const at::Tensor &out) {
    const int64_t width = out.size(3);
    forEveryRow(out.numel() / width, width, [&](int64_t row) {
        const T *upper = pointer<T>(x) + row * 4 * width;
        meanRow(upper, upper + 2 * width, width, pointer<T>(out) + row * width);
    });
}

template <typename T>
void spreadRows(const at::Tensor &gradient, const at::Tensor &out) {
    const int64_t width = gradient.size(3);
    forEveryRow(gradient.numel() / width, width, [&](int64_t row) {
        T *upper = pointer<T>(out) + row * 4 * width;
        spreadRow(pointer<T>(gradient) + row * width, width, upper, upper + 2 * width);
    });
}

struct SpreadMean : torch::autograd::Function<SpreadMean> {
    static at::Tensor forward(Context *, const at::Tensor &gradient);
    static List backward(Context *, List cotangents);
};

struct Mean2x2 : torch::autograd::Function<Mean2x2> {
    static at::Tensor forward(Context *, const at::Tensor &x) {
        const auto input = x.contiguous();
        const auto out = at::empty({x.size(0), x.size(1), x.size(2) / 2, x.size(3) / 2},
                                   x.options());
        x.scalar_type() == at::kFloat ? meanRows<float>(input, out)
                                      : meanRows<uint16_t>(input, out);
        return out;
    }
    static List backward(Context *, List gradients) { return {SpreadMean::apply(gradients[0])}; }
};

at::Tensor SpreadMean::forward(Context *, const at::Tensor &gradient) {
    const auto g = gradient.contiguous();
    const auto out =
        at::empty({g.size(0), g.size(1), g.size(2) * 2, g.size(3) * 2}, g.options());
    g.scalar_type() == at::kFloat ? spreadRows<float>(g, out) : spreadRows<uint16_t>(g, out);
    return out;
}

List SpreadMean::backward(Context *, List cotangents) { return {Mean2x2::apply(cotangents[0])}; }

// MARK: - The largest number of every 3×3 window, two apart

/// The three rows of a window, nullptr beyond the map; `offset` is where the first one begins.
template <typename T>
struct Rows {
    const T *row[3];
    int64_t offset, width;
};

/// `best` and `place` have one number for each window.
template <typename T>
CT_INLINE void largestOfRows(const Rows<T> &rows, int64_t count, float *best, int32_t *place) {
    for (int64_t j = 0; j < count; ++j) {
        best[j] = -std::numeric_limits<float>::infinity();
        place[j] = -1;
    }
    for (int64_t i = 0; i < 3; ++i) {
        const T *row = rows.row[i];
        if (row == nullptr) continue;
        const auto start = static_cast<int32_t>(rows.offset + i * rows.width);
        for (int64_t k = -1; k < 2; ++k) {
            const int64_t first = k < 0 ? 1 : 0;
            const int64_t last = std::min(count, (rows.width - k + 1) / 2);
            for (int64_t j = first; j < last; ++j) {
                const float value = load(row + 2 * j + k);
                // The first of equal ones; what is not a number stays.
                const bool isLarger = value > best[j] || value != value || place[j] < 0;
                best[j] = isLarger ? value : best[j];
                place[j] = isLarger ? start + static_cast<int32_t>(2 * j + k) : place[j];
            }
        }
    }
}

CT_FOR_EVERY_PROCESSOR void largestRow(const Rows<float> &rows, int64_t count, float *best,
                                       int32_t *place) {
    largestOfRows(rows, count, best, place);
}

CT_FOR_EVERY_PROCESSOR void largestRow(const Rows<uint16_t> &rows, int64_t count, float *best,
                                       int32_t *place) {
    largestOfRows(rows, count, best, place);
}

template <typename T>
void largestRows(const at::Tensor &x, const at::Tensor &out, const at::Tensor &places) {
    const int64_t height = x.size(2), width = x.size(3);
    const int64_t outHeight = out.size(2), outWidth = out.size(3);
    inParallel(x.size(0) * x.size(1), 1, [&](int64_t first, int64_t last) {
        std::vector<float> best(outWidth);
        std::vector<int32_t> place(outWidth);
        for (int64_t plane = first; plane < last; ++plane) {
            const T *map = pointer<T>(x) + plane * height * width;
            for (int64_t i = 0; i < outHeight; ++i) {
                Rows<T> rows{{}, (2 * i - 1) * width, width};
                for (int64_t k = 0; k < 3; ++k) {
                    const int64_t y = 2 * i - 1 + k;
                    rows.row[k] = y >= 0 && y < height ? map + y * width : nullptr;
                }
                largestRow(rows, outWidth, best.data(), place.data());
                const int64_t begin = (plane * outHeight + i) * outWidth;
                for (int64_t j = 0; j < outWidth; ++j) {
                    store(pointer<T>(out) + begin + j, best[j]);
                    pointer<int64_t>(places)[begin + j] = place[j];
                }
            }
        }
    });
}

struct Largest3x3 : torch::autograd::Function<Largest3x3> {
    static at::Tensor forward(Context *context, const at::Tensor &x) {
        const auto input = x.contiguous();
        const auto out = at::empty(
            {x.size(0), x.size(1), (x.size(2) + 1) / 2, (x.size(3) + 1) / 2}, x.options());
        const auto places = at::empty(out.sizes(), out.options().dtype(at::kLong));
        x.scalar_type() == at::kFloat ? largestRows<float>(input, out, places)
                                      : largestRows<uint16_t>(input, out, places);
        context->save_for_backward({x, places});
        return out;
    }

    /// libtorch's own, which can be differentiated itself.
    static List backward(Context *context, List gradients) {
        const auto saved = context->get_saved_variables();
        return {at::max_pool2d_with_indices_backward(gradients[0].contiguous(), saved[0], {3, 3},
                                                     {2, 2}, {1, 1}, {1, 1}, false, saved[1])};
    }
};

}  // namespace

int ct_avg_pool2d(CTTensor *x, int64_t kernel, int64_t stride, CTTensor **out) {
    return guarded([&] {
        const auto &input = unwrap(x);
        const bool isFast = kernel == 2 && stride == 2 && isPlain(input) &&
                            input.size(2) % 2 == 0 && input.size(3) % 2 == 0;
        *out = wrap(isFast ? Mean2x2::apply(input)
                           : at::avg_pool2d(input, {kernel, kernel}, {stride, stride}));
    });
}

int ct_max_pool2d(CTTensor *x, int64_t kernel, int64_t stride, int64_t padding, CTTensor **out) {
    return guarded([&] {
        const auto &input = unwrap(x);
        const bool isFast = kernel == 3 && stride == 2 && padding == 1 && isPlain(input) &&
                            input.size(2) * input.size(3) < std::numeric_limits<int32_t>::max();
        *out = wrap(isFast ? Largest3x3::apply(input)
                           : at::max_pool2d(input, {kernel, kernel}, {stride, stride},
                                            {padding, padding}));
    });
}
