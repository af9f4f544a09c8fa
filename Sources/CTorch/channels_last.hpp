// Loops over maps in the order of rows, columns, channels, image by image: shared by the norms.
#pragma once

#include "loops.hpp"
#include "parallel.hpp"
#include "support.hpp"

#include <cmath>

namespace ctorch {

/// The shape of one image, channels last.
struct Map {
    int64_t height, width, channels;
    int64_t size() const { return height * width; }
};

/// Numbers, one a channel each, that one image needs.
struct Scratch {
    float *scale, *shift, *slope, *level, *lineSum, *otherLineSum;
    float *sums[5], *lineSums[5], *factors[4];
};

/// Adds the sums of one line to the sums of all lines and begins a new line. (One sum over all
/// pixels would lose a digit, and with it the sign of values next to zero.)
CT_INLINE void addLine(float *__restrict total, float *__restrict line, int64_t channels) {
    for (int64_t c = 0; c < channels; ++c) {
        total[c] += line[c];
        line[c] = 0;
    }
}

/// The mean and 1/deviation of every channel of x [H, W, C], and with them what makes the norm
/// scale·x + shift, in `scratch`.
template <typename T>
CT_INLINE void measureImage(const T *__restrict x, const float *__restrict weight,
                            const float *__restrict bias, float epsilon, Map map,
                            float *__restrict mean, float *__restrict rstd,
                            const Scratch &scratch) {
    float *__restrict scale = scratch.scale;
    float *__restrict shift = scratch.shift;
    const int64_t channels = map.channels;
    const float share = 1.0f / static_cast<float>(map.size());
    const int64_t line = map.width * channels;
    float *__restrict sum = scratch.lineSum;
    for (int64_t c = 0; c < channels; ++c) mean[c] = rstd[c] = sum[c] = 0;
    for (int64_t i = 0; i < map.height; ++i) {
        for (int64_t j = 0; j < map.width; ++j) {
            const T *p = x + i * line + j * channels;
            for (int64_t c = 0; c < channels; ++c) sum[c] += load(p + c);
        }
        addLine(mean, sum, channels);
    }
    for (int64_t c = 0; c < channels; ++c) mean[c] *= share;
    for (int64_t i = 0; i < map.height; ++i) {
        for (int64_t j = 0; j < map.width; ++j) {
            const T *p = x + i * line + j * channels;
            for (int64_t c = 0; c < channels; ++c) {
                const float difference = load(p + c) - mean[c];
                sum[c] += difference * difference;
            }
        }
        addLine(rstd, sum, channels);
    }
    for (int64_t c = 0; c < channels; ++c) {
        rstd[c] = 1.0f / std::sqrt(rstd[c] * share + epsilon);
        scale[c] = rstd[c] * weight[c];
        shift[c] = bias[c] - mean[c] * scale[c];
    }
}

/// From Σg·(x − mean) in `dweight` and Σg in `dbias`, for the gradient g of a norm: ∂weight, and what
/// makes ∂x = scale·g + slope·x + level, in `scratch`.
CT_INLINE void solveGradient(float *__restrict dweight, const float *__restrict dbias,
                             const float *__restrict mean, const float *__restrict rstd, Map map,
                             const Scratch &scratch) {
    const float *__restrict scale = scratch.scale;
    float *__restrict slope = scratch.slope;
    float *__restrict level = scratch.level;
    const float share = 1.0f / static_cast<float>(map.size());
    for (int64_t c = 0; c < map.channels; ++c) {
        dweight[c] *= rstd[c];
        slope[c] = -scale[c] * share * rstd[c] * dweight[c];
        level[c] = -scale[c] * share * dbias[c] - slope[c] * mean[c];
    }
}

template <typename T>
T *pointer(const at::Tensor &tensor) {
    return static_cast<T *>(tensor.data_ptr());
}

inline Map mapOf(const at::Tensor &x) { return {x.size(2), x.size(3), x.size(1)}; }

/// Runs `body` for every image, with scratch memory.
template <typename Body>
void forEveryImage(const at::Tensor &x, Body &&body) {
    inParallel(x.size(0), 1, [&](int64_t begin, int64_t end) {
        const auto channels = static_cast<size_t>(x.size(1));
        std::vector<float> memory(20 * channels);
        const auto row = [&](size_t index) { return &memory[index * channels]; };
        const Scratch scratch{row(0), row(1), row(2), row(3), row(4), row(5),
                              {row(6), row(7), row(8), row(9), row(10)},
                              {row(11), row(12), row(13), row(14), row(15)},
                              {row(16), row(17), row(18), row(19)}};
        for (int64_t i = begin; i < end; ++i) body(i, scratch);
    });
}

}  // namespace ctorch
