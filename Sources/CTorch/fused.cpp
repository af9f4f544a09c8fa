// Instance norm, ReLU and 2×2 average pooling in one pass over channels-last memory.
//
// A block of ConvNet ends with these three. As separate operations of libtorch they take as long
// as the convolutions on processors (half of a training step in bfloat16), because each reads and
// writes the whole map; and libtorch's GroupNorm of bfloat16 maps with one channel a group is forty
// times slower in channels-last order, which the convolutions prefer. Here one image's map stays in
// the cache, all inner loops run over its channels, and only the pooled map is written. The same holds
// for the gradient, and for the gradient of the gradient, which gradient matching asks for.
#include "channels_last.hpp"
#include "kernels.hpp"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

using namespace ctorch;

namespace {

/// max(value, 0), and as libtorch's ReLU NaN for NaN; std::fmax would hide it behind a 0.
CT_INLINE float rectified(float value) { return value < 0 ? 0.0f : value; }

/// Whether ReLU lets the gradient of a value through; as libtorch's it does so for NaN.
CT_INLINE bool isPassed(float value) { return !(value <= 0); }

/// x [H, W, C] → out [H/2, W/2, C]; mean and 1/deviation of every channel are kept.
template <typename T>
CT_INLINE void forwardImage(const T *__restrict x, const float *__restrict weight,
                            const float *__restrict bias, float epsilon, Map map,
                            T *__restrict out, float *__restrict mean, float *__restrict rstd,
                            const Scratch &scratch) {
    measureImage(x, weight, bias, epsilon, map, mean, rstd, scratch);
    const float *__restrict scale = scratch.scale;
    const float *__restrict shift = scratch.shift;
    const int64_t channels = map.channels;
    const int64_t line = map.width * channels;
    for (int64_t i = 0; i < map.height / 2; ++i) {
        for (int64_t j = 0; j < map.width / 2; ++j) {
            const T *window = x + 2 * i * line + 2 * j * channels;
            for (int64_t c = 0; c < channels; ++c) {
                const T *p = window + c;
                float sum = rectified(load(p) * scale[c] + shift[c]);
                sum += rectified(load(p + channels) * scale[c] + shift[c]);
                sum += rectified(load(p + line) * scale[c] + shift[c]);
                sum += rectified(load(p + line + channels) * scale[c] + shift[c]);
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
    const float *__restrict slope = scratch.slope;
    const float *__restrict level = scratch.level;
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
                    const float passes = isPassed(value * scale[c] + shift[c]) ? 1.0f : 0.0f;
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
    solveGradient(dweight, dbias, mean, rstd, map, scratch);
    for (int64_t i = 0; i < map.height; ++i) {
        for (int64_t j = 0; j < map.width; ++j) {
            const T *p = x + i * line + j * channels;
            T *q = dx + i * line + j * channels;
            if (i / 2 < map.height / 2 && j / 2 < map.width / 2) {
                g = gradient + ((i / 2) * (map.width / 2) + j / 2) * channels;
                for (int64_t c = 0; c < channels; ++c) {
                    const float value = load(p + c);
                    const float passes = isPassed(value * scale[c] + shift[c]) ? 0.25f : 0.0f;
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

/// The gradient of ⟨u, ∂x⟩ with ∂x of `backwardImage`. It is F = weight·rstd·(A − B·C/HW) with
/// A = Σu·g − Σu·Σg/HW, B = Σu·x̂, C = Σg·x̂, so that
///     ∂F/∂x = −weight·rstd²/HW·(C·(u − ū) + B·(g − ḡ) + x̂·(A − 3·B·C/HW)),
///     ∂F/∂g = weight·rstd·(u − ū − x̂·B/HW),  ∂F/∂weight = rstd·(A − B·C/HW).
template <typename T>
CT_INLINE void backwardTwiceImage(const T *__restrict cotangent, const T *__restrict gradient,
                                  const T *__restrict x, const float *__restrict weight,
                                  const float *__restrict bias, const float *__restrict mean,
                                  const float *__restrict rstd, Map map, T *__restrict dx,
                                  T *__restrict dgradient, float *__restrict dweight,
                                  const Scratch &scratch) {
    float *__restrict scale = scratch.scale;
    float *__restrict shift = scratch.shift;
    float *__restrict sumU = scratch.lineSums[0];
    float *__restrict sumUX = scratch.lineSums[1];
    float *__restrict sumG = scratch.lineSums[2];
    float *__restrict sumGX = scratch.lineSums[3];
    float *__restrict sumUG = scratch.lineSums[4];
    const int64_t channels = map.channels;
    const int64_t line = map.width * channels;
    const int64_t halfWidth = map.width / 2, halfHeight = map.height / 2;
    for (int sum = 0; sum < 5; ++sum) {
        for (int64_t c = 0; c < channels; ++c) scratch.sums[sum][c] = scratch.lineSums[sum][c] = 0;
    }
    for (int64_t c = 0; c < channels; ++c) {
        scale[c] = rstd[c] * weight[c];
        shift[c] = bias[c] - mean[c] * scale[c];
    }
    for (int64_t i = 0; i < map.height; ++i) {
        for (int64_t j = 0; j < map.width; ++j) {
            const T *p = x + i * line + j * channels;
            const T *u = cotangent + i * line + j * channels;
            if (i / 2 < halfHeight && j / 2 < halfWidth) {
                const T *g = gradient + ((i / 2) * halfWidth + j / 2) * channels;
                for (int64_t c = 0; c < channels; ++c) {
                    const float value = load(p + c), other = load(u + c);
                    const float difference = value - mean[c];
                    const float passes = isPassed(value * scale[c] + shift[c]) ? 0.25f : 0.0f;
                    const float incoming = load(g + c) * passes;
                    sumU[c] += other;
                    sumUX[c] += other * difference;
                    sumG[c] += incoming;
                    sumGX[c] += incoming * difference;
                    sumUG[c] += other * incoming;
                }
            } else {
                for (int64_t c = 0; c < channels; ++c) {
                    sumU[c] += load(u + c);
                    sumUX[c] += load(u + c) * (load(p + c) - mean[c]);
                }
            }
        }
        for (int sum = 0; sum < 5; ++sum) {
            addLine(scratch.sums[sum], scratch.lineSums[sum], channels);
        }
    }
    // From here on: ∂F/∂x = ofU·u + ofG·g + ofX·x + level and ∂F/∂g = scale·u + slope·x + start.
    float *__restrict ofU = scratch.factors[0];
    float *__restrict ofG = scratch.factors[1];
    float *__restrict ofX = scratch.factors[2];
    float *__restrict start = scratch.factors[3];
    float *__restrict slope = scratch.slope;
    float *__restrict level = scratch.level;
    const float share = 1.0f / static_cast<float>(map.size());
    for (int64_t c = 0; c < channels; ++c) {
        const float meanU = scratch.sums[0][c] * share, meanG = scratch.sums[2][c] * share;
        const float a = scratch.sums[4][c] - scratch.sums[0][c] * meanG;
        const float b = scratch.sums[1][c] * rstd[c], d = scratch.sums[3][c] * rstd[c];
        const float factor = -scale[c] * rstd[c] * share;
        ofU[c] = factor * d;
        ofG[c] = factor * b;
        ofX[c] = factor * rstd[c] * (a - 3 * share * b * d);
        level[c] = -ofU[c] * meanU - ofG[c] * meanG - ofX[c] * mean[c];
        slope[c] = -scale[c] * rstd[c] * share * b;
        start[c] = -scale[c] * meanU - slope[c] * mean[c];
        dweight[c] = rstd[c] * (a - share * b * d);
    }
    for (int64_t i = 0; i < map.height; ++i) {
        for (int64_t j = 0; j < map.width; ++j) {
            const T *p = x + i * line + j * channels;
            const T *u = cotangent + i * line + j * channels;
            T *q = dx + i * line + j * channels;
            if (i / 2 < halfHeight && j / 2 < halfWidth) {
                const T *g = gradient + ((i / 2) * halfWidth + j / 2) * channels;
                for (int64_t c = 0; c < channels; ++c) {
                    const float value = load(p + c);
                    const float passes = isPassed(value * scale[c] + shift[c]) ? 0.25f : 0.0f;
                    const float incoming = load(g + c) * passes;
                    store(q + c, ofU[c] * load(u + c) + ofG[c] * incoming + ofX[c] * value +
                                     level[c]);
                }
            } else {
                for (int64_t c = 0; c < channels; ++c) {
                    store(q + c, ofU[c] * load(u + c) + ofX[c] * load(p + c) + level[c]);
                }
            }
        }
    }
    const int64_t places[4] = {0, channels, line, line + channels};
    for (int64_t i = 0; i < halfHeight; ++i) {
        for (int64_t j = 0; j < halfWidth; ++j) {
            const int64_t corner = 2 * i * line + 2 * j * channels;
            for (int64_t c = 0; c < channels; ++c) {
                float sum = 0;
                for (int64_t place : places) {
                    const float value = load(x + corner + place + c);
                    const float passes = isPassed(value * scale[c] + shift[c]) ? 0.25f : 0.0f;
                    sum += passes * (scale[c] * load(cotangent + corner + place + c) +
                                     slope[c] * value + start[c]);
                }
                store(dgradient + c, sum);
            }
            dgradient += channels;
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

CT_FOR_EVERY_PROCESSOR
void backwardTwiceImageFloat(const float *cotangent, const float *gradient, const float *x,
                             const float *weight, const float *bias, const float *mean,
                             const float *rstd, Map map, float *dx, float *dgradient,
                             float *dweight, const Scratch &scratch) {
    backwardTwiceImage(cotangent, gradient, x, weight, bias, mean, rstd, map, dx, dgradient,
                       dweight, scratch);
}

CT_FOR_EVERY_PROCESSOR
void backwardTwiceImageBFloat16(const uint16_t *cotangent, const uint16_t *gradient,
                                const uint16_t *x, const float *weight, const float *bias,
                                const float *mean, const float *rstd, Map map, uint16_t *dx,
                                uint16_t *dgradient, float *dweight, const Scratch &scratch) {
    backwardTwiceImage(cotangent, gradient, x, weight, bias, mean, rstd, map, dx, dgradient,
                       dweight, scratch);
}

at::Tensor composite(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias,
                     double epsilon) {
    return at::avg_pool2d(at::relu(at::group_norm(x, x.size(1), weight, bias, epsilon)), {2, 2});
}

using Context = torch::autograd::AutogradContext;
using List = torch::autograd::variable_list;

/// The gradients by x, weight and bias: [B, C, H, W], [C], [C].
List backward(const at::Tensor &gradient, const at::Tensor &input, const at::Tensor &weight,
              const at::Tensor &bias, const at::Tensor &mean, const at::Tensor &rstd) {
    const auto x = input.contiguous(at::MemoryFormat::ChannelsLast);
    const auto w = weight.contiguous();
    const auto b = bias.contiguous();
    const auto g = gradient.to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
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
    return {dx, dweight.sum(0), dbias.sum(0)};
}

/// The gradient as a function, where it is to be differentiated itself.
struct NormReluPoolGradient : torch::autograd::Function<NormReluPoolGradient> {
    static List forward(Context *context, const at::Tensor &gradient, const at::Tensor &input,
                        const at::Tensor &weight, const at::Tensor &bias, const at::Tensor &mean,
                        const at::Tensor &rstd, double epsilon) {
        context->save_for_backward({gradient, input, weight, bias, mean, rstd});
        context->saved_data["epsilon"] = epsilon;
        context->set_materialize_grads(false);
        return ::backward(gradient, input, weight, bias, mean, rstd);
    }

    static List backward(Context *context, List cotangents) {
        const auto saved = context->get_saved_variables();
        const auto &gradient = saved[0], &input = saved[1], &weight = saved[2], &bias = saved[3];
        if (at::GradMode::is_enabled() || cotangents[1].defined() || cotangents[2].defined()) {
            // Rare: a third derivative, or weight and bias among what is differentiated twice.
            return composite(context, cotangents, gradient, input, weight, bias);
        }
        if (!cotangents[0].defined()) return List(7);
        const auto x = input.contiguous(at::MemoryFormat::ChannelsLast);
        const auto w = weight.contiguous();
        const auto b = bias.contiguous();
        const auto g = gradient.to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
        const auto u = cotangents[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
        const auto &mean = saved[4], &rstd = saved[5];
        const Map map = mapOf(x);
        const auto dx = at::empty_like(x);
        const auto dgradient = at::empty_like(g);
        const auto dweight = at::empty_like(mean);
        const int64_t inStep = map.size() * map.channels;
        const int64_t outStep = (map.height / 2) * (map.width / 2) * map.channels;
        forEveryImage(x, [&](int64_t i, const Scratch &scratch) {
            const int64_t row = i * map.channels;
            const float *m = pointer<float>(mean) + row, *r = pointer<float>(rstd) + row;
            float *dw = pointer<float>(dweight) + row;
            if (x.scalar_type() == at::kFloat) {
                backwardTwiceImageFloat(
                    pointer<float>(u) + i * inStep, pointer<float>(g) + i * outStep,
                    pointer<float>(x) + i * inStep, pointer<float>(w), pointer<float>(b), m, r,
                    map, pointer<float>(dx) + i * inStep, pointer<float>(dgradient) + i * outStep,
                    dw, scratch);
            } else {
                backwardTwiceImageBFloat16(
                    pointer<uint16_t>(u) + i * inStep, pointer<uint16_t>(g) + i * outStep,
                    pointer<uint16_t>(x) + i * inStep, pointer<float>(w), pointer<float>(b), m, r,
                    map, pointer<uint16_t>(dx) + i * inStep,
                    pointer<uint16_t>(dgradient) + i * outStep, dw, scratch);
            }
        });
        List result(7);
        result[0] = dgradient.to(gradient.scalar_type());
        result[1] = dx;
        result[2] = dweight.sum(0);
        return result;
    }

    /// The same by libtorch's own operations, which can be differentiated as often as one likes.
    static List composite(Context *context, const List &cotangents, const at::Tensor &gradient,
                          const at::Tensor &input, const at::Tensor &weight,
                          const at::Tensor &bias) {
        const bool isToBeDifferentiated = at::GradMode::is_enabled();
        const at::AutoGradMode enabled(true);
        // Partial derivatives: as aliases none of these is in the history of another.
        const List parts{gradient.alias(), input.alias(), weight.alias(), bias.alias()};
        const auto y = ::composite(parts[1], parts[2], parts[3],
                                   context->saved_data["epsilon"].toDouble());
        const auto first = gradients({y}, {parts[1], parts[2], parts[3]}, {parts[0]}, true);
        List outputs, weights;
        for (size_t i = 0; i < first.size(); ++i) {
            if (!first[i].defined() || !cotangents[i].defined()) continue;
            outputs.push_back(first[i]);
            weights.push_back(cotangents[i]);
        }
        auto result = gradients(outputs, parts, weights, isToBeDifferentiated);
        result.resize(7);
        return result;
    }

    /// Gradients by those of `inputs` that have some; the others are undefined.
    static List gradients(const List &outputs, const List &inputs, const List &weights,
                          bool creatingGraph) {
        List active;
        for (const auto &input : inputs) {
            if (input.requires_grad()) active.push_back(input);
        }
        List found;
        if (!outputs.empty() && !active.empty()) {
            found = torch::autograd::grad(outputs, active, weights, /*retain_graph=*/true,
                                          creatingGraph, /*allow_unused=*/true);
        }
        List result;
        size_t next = 0;
        for (const auto &input : inputs) {
            result.push_back(input.requires_grad() && next < found.size() ? found[next++]
                                                                          : at::Tensor());
        }
        return result;
    }
};

struct NormReluPool : torch::autograd::Function<NormReluPool> {
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
        auto result =
            at::GradMode::is_enabled()
                ? NormReluPoolGradient::apply(gradients[0], saved[0], saved[1], saved[2], saved[3],
                                              saved[4], context->saved_data["epsilon"].toDouble())
                : ::backward(gradients[0], saved[0], saved[1], saved[2], saved[3], saved[4]);
        result.emplace_back();
        return result;
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
        const bool isFast = usesLoops() && input.is_cpu() && unwrap(weight).is_cpu() &&
                            unwrap(bias).is_cpu() && !input.is_contiguous() &&
                            input.is_contiguous(at::MemoryFormat::ChannelsLast) &&
                            (input.scalar_type() == at::kFloat ||
                             input.scalar_type() == at::kBFloat16) &&
                            unwrap(weight).scalar_type() == at::kFloat &&
                            unwrap(bias).scalar_type() == at::kFloat;
        *out = wrap(isFast ? NormReluPool::apply(input, unwrap(weight), unwrap(bias), epsilon)
                           : composite(input, unwrap(weight), unwrap(bias), epsilon));
    });
}
