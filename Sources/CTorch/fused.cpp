// Instance norm, ReLU and 2×2 average pooling in one pass over channels-last memory.
//
// A block of ConvNet ends with these three. As separate operations of libtorch they take as long
// as the convolutions on processors (half of a training step in bfloat16), because each reads and
// writes the whole map; and libtorch's GroupNorm of bfloat16 maps with one channel a group is forty
// times slower in channels-last order, which the convolutions prefer. Here one image's map stays in
// the cache, all inner loops run over its channels, and only the pooled map is written.
#include "parallel.hpp"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstring>

using namespace ctorch;

// The compiler makes one version of each function for every instruction set worth having, and the
// right one is chosen when the program starts.
#if defined(__linux__) && defined(__x86_64__)
#define CT_FOR_EVERY_PROCESSOR \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CT_FOR_EVERY_PROCESSOR
#endif
#define CT_INLINE __attribute__((always_inline)) inline

namespace {

/// The shape of one image, channels last.
struct Map {
    int64_t height, width, channels;
    int64_t size() const { return height * width; }
};

CT_INLINE float load(const float *p) { return *p; }
CT_INLINE void store(float *p, float value) { *p = value; }

CT_INLINE float load(const uint16_t *p) {
    const uint32_t bits = static_cast<uint32_t>(*p) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// bfloat16, rounded to nearest, halves to even.
CT_INLINE void store(uint16_t *p, float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    *p = value == value ? static_cast<uint16_t>(rounded) : 0x7FC0;
}

/// Numbers, one a channel each, that one image needs.
struct Scratch {
    float *scale, *shift, *slope, *level, *lineSum, *otherLineSum;
};

/// Adds the sums of one line to the sums of all lines and begins a new line. (One sum over all
/// pixels would lose a digit, and with it the sign of values next to zero.)
CT_INLINE void addLine(float *__restrict total, float *__restrict line, int64_t channels) {
    for (int64_t c = 0; c < channels; ++c) {
        total[c] += line[c];
        line[c] = 0;
    }
}

/// x [H, W, C] → out [H/2, W/2, C]; mean and 1/deviation of every channel are kept.
template <typename T>
CT_INLINE void forwardImage(const T *__restrict x, const float *__restrict weight,
                            const float *__restrict bias, float epsilon, Map map,
                            T *__restrict out, float *__restrict mean, float *__restrict rstd,
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
    for (int64_t i = 0; i < map.height / 2; ++i) {
        for (int64_t j = 0; j < map.width / 2; ++j) {
            const T *window = x + 2 * i * line + 2 * j * channels;
            for (int64_t c = 0; c < channels; ++c) {
                const T *p = window + c;
                float sum = std::fmax(load(p) * scale[c] + shift[c], 0.0f);
                sum += std::fmax(load(p + channels) * scale[c] + shift[c], 0.0f);
                sum += std::fmax(load(p + line) * scale[c] + shift[c], 0.0f);
                sum += std::fmax(load(p + line + channels) * scale[c] + shift[c], 0.0f);
                store(out + c, 0.25f * sum);
            }
            out += channels;
        }
    }
}

/// The gradient of every pixel is g = ¼·∂out where the ReLU lets it through, else 0; with
/// x̂ = (x − mean)·rstd:  ∂bias = Σg, ∂weight = Σg·x̂, ∂x = scale·(g − (∂bias + x̂·∂weight)/HW).
template <typename T>
CT_INLINE void backwardImage(const T *__restrict gradient, const T *__restrict x,
                             const float *__restrict weight, const float *__restrict bias,
                             const float *__restrict mean, const float *__restrict rstd, Map map,
                             T *__restrict dx, float *__restrict dweight, float *__restrict dbias,
                             const Scratch &scratch) {
    float *__restrict scale = scratch.scale;
    float *__restrict shift = scratch.shift;
    float *__restrict slope = scratch.slope;
    float *__restrict level = scratch.level;
    float *__restrict weightSum = scratch.lineSum;
    float *__restrict biasSum = scratch.otherLineSum;
    const int64_t channels = map.channels;
    const int64_t line = map.width * channels;
    for (int64_t c = 0; c < channels; ++c) {
        scale[c] = rstd[c] * weight[c];
        shift[c] = bias[c] - mean[c] * scale[c];
        dweight[c] = dbias[c] = weightSum[c] = biasSum[c] = 0;
    }
    const T *g = gradient;
    for (int64_t i = 0; i < map.height / 2; ++i) {
        for (int64_t j = 0; j < map.width / 2; ++j) {
            const T *window = x + 2 * i * line + 2 * j * channels;
            for (int64_t c = 0; c < channels; ++c) {
                const T *p = window + c;
                const float values[4] = {load(p), load(p + channels), load(p + line),
                                         load(p + line + channels)};
                float count = 0, sum = 0;
                for (float value : values) {
                    const float passes = value * scale[c] + shift[c] > 0 ? 1.0f : 0.0f;
                    count += passes;
                    sum += passes * (value - mean[c]);
                }
                const float quarter = 0.25f * load(g + c);
                biasSum[c] += quarter * count;
                weightSum[c] += quarter * sum;
            }
            g += channels;
        }
        addLine(dbias, biasSum, channels);
        addLine(dweight, weightSum, channels);
    }
    // From here on: ∂x = scale·g + slope·x + level.
    const float share = 1.0f / static_cast<float>(map.size());
    for (int64_t c = 0; c < channels; ++c) {
        dweight[c] *= rstd[c];
        slope[c] = -scale[c] * share * rstd[c] * dweight[c];
        level[c] = -scale[c] * share * dbias[c] - slope[c] * mean[c];
    }
    for (int64_t i = 0; i < map.height; ++i) {
        for (int64_t j = 0; j < map.width; ++j) {
            const T *p = x + i * line + j * channels;
            T *q = dx + i * line + j * channels;
            if (i / 2 < map.height / 2 && j / 2 < map.width / 2) {
                g = gradient + ((i / 2) * (map.width / 2) + j / 2) * channels;
                for (int64_t c = 0; c < channels; ++c) {
                    const float value = load(p + c);
                    const float passes = value * scale[c] + shift[c] > 0 ? 0.25f : 0.0f;
                    const float incoming = load(g + c) * passes * scale[c];
                    store(q + c, incoming + slope[c] * value + level[c]);
                }
            } else {
                // The last row or column of an odd size is in no window.
                for (int64_t c = 0; c < channels; ++c) {
                    store(q + c, slope[c] * load(p + c) + level[c]);
                }
            }
        }
    }
}

CT_FOR_EVERY_PROCESSOR
void forwardImageFloat(const float *x, const float *weight, const float *bias, float epsilon,
                       Map map, float *out, float *mean, float *rstd, const Scratch &scratch) {
    forwardImage(x, weight, bias, epsilon, map, out, mean, rstd, scratch);
}

CT_FOR_EVERY_PROCESSOR
void forwardImageBFloat16(const uint16_t *x, const float *weight, const float *bias, float epsilon,
                          Map map, uint16_t *out, float *mean, float *rstd,
                          const Scratch &scratch) {
    forwardImage(x, weight, bias, epsilon, map, out, mean, rstd, scratch);
}

CT_FOR_EVERY_PROCESSOR
void backwardImageFloat(const float *gradient, const float *x, const float *weight,
                        const float *bias, const float *mean, const float *rstd, Map map,
                        float *dx, float *dweight, float *dbias, const Scratch &scratch) {
    backwardImage(gradient, x, weight, bias, mean, rstd, map, dx, dweight, dbias, scratch);
}

CT_FOR_EVERY_PROCESSOR
void backwardImageBFloat16(const uint16_t *gradient, const uint16_t *x, const float *weight,
                           const float *bias, const float *mean, const float *rstd, Map map,
                           uint16_t *dx, float *dweight, float *dbias,
                           const Scratch &scratch) {
    backwardImage(gradient, x, weight, bias, mean, rstd, map, dx, dweight, dbias, scratch);
}

template <typename T>
T *pointer(const at::Tensor &tensor) {
    return static_cast<T *>(tensor.data_ptr());
}

Map mapOf(const at::Tensor &x) { return {x.size(2), x.size(3), x.size(1)}; }

/// Runs `body` for every image, with scratch memory.
template <typename Body>
void forEveryImage(const at::Tensor &x, Body &&body) {
    inParallel(x.size(0), 1, [&](int64_t begin, int64_t end) {
        const auto channels = static_cast<size_t>(x.size(1));
        std::vector<float> memory(6 * channels);
        const auto row = [&](size_t index) { return &memory[index * channels]; };
        const Scratch scratch{row(0), row(1), row(2), row(3), row(4), row(5)};
        for (int64_t i = begin; i < end; ++i) body(i, scratch);
    });
}

at::Tensor composite(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias,
                     double epsilon) {
    return at::avg_pool2d(at::relu(at::group_norm(x, x.size(1), weight, bias, epsilon)), {2, 2});
}

struct NormReluPool : torch::autograd::Function<NormReluPool> {
    using Context = torch::autograd::AutogradContext;
    using List = torch::autograd::variable_list;

    static at::Tensor forward(Context *context, const at::Tensor &input, const at::Tensor &weight,
                              const at::Tensor &bias, double epsilon) {
        const auto x = input.contiguous(at::MemoryFormat::ChannelsLast);
        const auto w = weight.contiguous();
        const auto b = bias.contiguous();
        const Map map = mapOf(x);
        const auto out = at::empty({x.size(0), map.channels, map.height / 2, map.width / 2},
                                   x.options(), at::MemoryFormat::ChannelsLast);
        const auto mean = at::empty({x.size(0), map.channels}, w.options());
        const auto rstd = at::empty_like(mean);
        const int64_t inStep = map.size() * map.channels;
        const int64_t outStep = (map.height / 2) * (map.width / 2) * map.channels;
        forEveryImage(x, [&](int64_t i, const Scratch &scratch) {
            float *m = pointer<float>(mean) + i * map.channels;
            float *r = pointer<float>(rstd) + i * map.channels;
            if (x.scalar_type() == at::kFloat) {
                forwardImageFloat(pointer<float>(x) + i * inStep, pointer<float>(w),
                                  pointer<float>(b), static_cast<float>(epsilon), map,
                                  pointer<float>(out) + i * outStep, m, r, scratch);
            } else {
                forwardImageBFloat16(pointer<uint16_t>(x) + i * inStep, pointer<float>(w),
                                     pointer<float>(b), static_cast<float>(epsilon), map,
                                     pointer<uint16_t>(out) + i * outStep, m, r, scratch);
            }
        });
        context->save_for_backward({input, weight, bias, mean, rstd});
        context->saved_data["epsilon"] = epsilon;
        return out;
    }

    static List backward(Context *context, List gradients) {
        const auto saved = context->get_saved_variables();
        const auto &input = saved[0], &weight = saved[1], &bias = saved[2];
        if (at::GradMode::is_enabled()) {
            // The gradient is to be differentiated itself: libtorch's own operations can be.
            const auto y = composite(input, weight, bias, context->saved_data["epsilon"].toDouble());
            auto result = torch::autograd::grad({y}, {input, weight, bias}, gradients,
                                                /*retain_graph=*/true, /*create_graph=*/true,
                                                /*allow_unused=*/true);
            result.emplace_back();
            return result;
        }
        const auto x = input.contiguous(at::MemoryFormat::ChannelsLast);
        const auto w = weight.contiguous();
        const auto b = bias.contiguous();
        const auto g = gradients[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
        const auto &mean = saved[3], &rstd = saved[4];
        const Map map = mapOf(x);
        const auto dx = at::empty_like(x);
        const auto dweight = at::empty_like(mean);
        const auto dbias = at::empty_like(mean);
        const int64_t inStep = map.size() * map.channels;
        const int64_t outStep = (map.height / 2) * (map.width / 2) * map.channels;
        forEveryImage(x, [&](int64_t i, const Scratch &scratch) {
            const int64_t row = i * map.channels;
            const float *m = pointer<float>(mean) + row, *r = pointer<float>(rstd) + row;
            float *dw = pointer<float>(dweight) + row, *db = pointer<float>(dbias) + row;
            if (x.scalar_type() == at::kFloat) {
                backwardImageFloat(pointer<float>(g) + i * outStep, pointer<float>(x) + i * inStep,
                                   pointer<float>(w), pointer<float>(b), m, r, map,
                                   pointer<float>(dx) + i * inStep, dw, db, scratch);
            } else {
                backwardImageBFloat16(pointer<uint16_t>(g) + i * outStep,
                                      pointer<uint16_t>(x) + i * inStep, pointer<float>(w),
                                      pointer<float>(b), m, r, map,
                                      pointer<uint16_t>(dx) + i * inStep, dw, db, scratch);
            }
        });
        return {dx, dweight.sum(0), dbias.sum(0), at::Tensor()};
    }
};

}  // namespace

int ct_instance_norm_relu_pool(CTTensor *x, CTTensor *weight, CTTensor *bias, double epsilon,
                               CTTensor **out) {
    return guarded([&] {
        const auto &input = unwrap(x);
        TORCH_CHECK(input.dim() == 4 && input.size(2) > 1 && input.size(3) > 1,
                    "expected [B, C, H, W] with at least 2×2 pixels");
        TORCH_CHECK(unwrap(weight).numel() == input.size(1) &&
                        unwrap(bias).numel() == input.size(1),
                    "expected one weight and one bias for each of ", input.size(1), " channels");
        const bool isFast = input.is_cpu() && unwrap(weight).is_cpu() && !input.is_contiguous() &&
                            input.is_contiguous(at::MemoryFormat::ChannelsLast) &&
                            (input.scalar_type() == at::kFloat ||
                             input.scalar_type() == at::kBFloat16) &&
                            unwrap(weight).scalar_type() == at::kFloat &&
                            unwrap(bias).scalar_type() == at::kFloat;
        *out = wrap(isFast ? NormReluPool::apply(input, unwrap(weight), unwrap(bias), epsilon)
                           : composite(input, unwrap(weight), unwrap(bias), epsilon));
    });
}
