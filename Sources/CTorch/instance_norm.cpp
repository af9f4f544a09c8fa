// Instance norm of maps in channels-last order, which convolutions on processors prefer.
//
// libtorch's GroupNorm of bfloat16 maps with one channel a group is forty times slower in that order
// than in the usual one. Here all inner loops run over the channels of one image, whose map stays in
// the cache.
#include "channels_last.hpp"
#include "kernels_support.hpp"

#include <torch/csrc/autograd/custom_function.h>

using namespace ctorch;

namespace {

using Context = torch::autograd::AutogradContext;
using List = torch::autograd::variable_list;

/// x [H, W, C] → out [H, W, C]; mean and 1/deviation of every channel are kept.
template <typename T>
CT_INLINE void normImage(const T *__restrict x, const float *__restrict weight,
                         const float *__restrict bias, float epsilon, Map map, T *__restrict out,
                         float *__restrict mean, float *__restrict rstd, const Scratch &scratch) {
    measureImage(x, weight, bias, epsilon, map, mean, rstd, scratch);
    const float *__restrict scale = scratch.scale;
    const float *__restrict shift = scratch.shift;
    const int64_t channels = map.channels;
    for (int64_t pixel = 0; pixel < map.size(); ++pixel) {
        for (int64_t c = 0; c < channels; ++c) store(out + c, load(x + c) * scale[c] + shift[c]);
        x += channels;
        out += channels;
    }
}

/// With x̂ = (x − mean)·rstd:  ∂bias = Σ∂y, ∂weight = Σ∂y·x̂,
/// ∂x = scale·(∂y − (∂bias + x̂·∂weight)/HW).
template <typename T>
CT_INLINE void normImageGradient(const T *__restrict gradient, const T *__restrict x,
                                 const float *__restrict weight, const float *__restrict mean,
                                 const float *__restrict rstd, Map map, T *__restrict dx,
                                 float *__restrict dweight, float *__restrict dbias,
                                 const Scratch &scratch) {
    float *__restrict weightSum = scratch.lineSum;
    float *__restrict biasSum = scratch.otherLineSum;
    float *__restrict scale = scratch.scale;
    const float *__restrict slope = scratch.slope;
    const float *__restrict level = scratch.level;
    const int64_t channels = map.channels;
    for (int64_t c = 0; c < channels; ++c) {
        scale[c] = rstd[c] * weight[c];
        dweight[c] = dbias[c] = weightSum[c] = biasSum[c] = 0;
    }
    const T *g = gradient, *p = x;
    for (int64_t i = 0; i < map.height; ++i) {
        for (int64_t j = 0; j < map.width; ++j) {
            for (int64_t c = 0; c < channels; ++c) {
                const float incoming = load(g + c);
                biasSum[c] += incoming;
                weightSum[c] += incoming * (load(p + c) - mean[c]);
            }
            g += channels;
            p += channels;
        }
        addLine(dbias, biasSum, channels);
        addLine(dweight, weightSum, channels);
    }
    solveGradient(dweight, dbias, mean, rstd, map, scratch);
    for (int64_t pixel = 0; pixel < map.size(); ++pixel) {
        for (int64_t c = 0; c < channels; ++c) {
            store(dx + c, scale[c] * load(gradient + c) + slope[c] * load(x + c) + level[c]);
        }
        gradient += channels;
        x += channels;
        dx += channels;
    }
}

CT_FOR_EVERY_PROCESSOR
void normImageOf(const float *x, const float *weight, const float *bias, float epsilon, Map map,
                 float *out, float *mean, float *rstd, const Scratch &scratch) {
    normImage(x, weight, bias, epsilon, map, out, mean, rstd, scratch);
}

CT_FOR_EVERY_PROCESSOR
void normImageOf(const uint16_t *x, const float *weight, const float *bias, float epsilon, Map map,
                 uint16_t *out, float *mean, float *rstd, const Scratch &scratch) {
    normImage(x, weight, bias, epsilon, map, out, mean, rstd, scratch);
}

CT_FOR_EVERY_PROCESSOR
void normImageGradientOf(const float *gradient, const float *x, const float *weight,
                         const float *mean, const float *rstd, Map map, float *dx, float *dweight,
                         float *dbias, const Scratch &scratch) {
    normImageGradient(gradient, x, weight, mean, rstd, map, dx, dweight, dbias, scratch);
}

CT_FOR_EVERY_PROCESSOR
void normImageGradientOf(const uint16_t *gradient, const uint16_t *x, const float *weight,
                         const float *mean, const float *rstd, Map map, uint16_t *dx,
                         float *dweight, float *dbias, const Scratch &scratch) {
    normImageGradient(gradient, x, weight, mean, rstd, map, dx, dweight, dbias, scratch);
}

template <typename T>
void normImages(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias,
                float epsilon, const at::Tensor &out, const at::Tensor &mean,
                const at::Tensor &rstd) {
    const Map map = mapOf(x);
    const int64_t step = map.size() * map.channels;
    forEveryImage(x, [&](int64_t i, const Scratch &scratch) {
        normImageOf(pointer<T>(x) + i * step, pointer<float>(weight), pointer<float>(bias), epsilon,
                    map, pointer<T>(out) + i * step, pointer<float>(mean) + i * map.channels,
                    pointer<float>(rstd) + i * map.channels, scratch);
    });
}

template <typename T>
void normImagesGradient(const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &weight,
                        const at::Tensor &mean, const at::Tensor &rstd, const at::Tensor &dx,
                        const at::Tensor &dweight, const at::Tensor &dbias) {
    const Map map = mapOf(x);
    const int64_t step = map.size() * map.channels;
    forEveryImage(x, [&](int64_t i, const Scratch &scratch) {
        const int64_t row = i * map.channels;
        normImageGradientOf(pointer<T>(gradient) + i * step, pointer<T>(x) + i * step,
                            pointer<float>(weight), pointer<float>(mean) + row,
                            pointer<float>(rstd) + row, map, pointer<T>(dx) + i * step,
                            pointer<float>(dweight) + row, pointer<float>(dbias) + row, scratch);
    });
}

struct InstanceNorm : torch::autograd::Function<InstanceNorm> {
    static at::Tensor forward(Context *context, const at::Tensor &x, const at::Tensor &weight,
                              const at::Tensor &bias, double epsilon) {
        const auto out = at::empty_like(x);
        const auto mean = at::empty({x.size(0), x.size(1)}, weight.options());
        const auto rstd = at::empty_like(mean);
        const auto w = weight.contiguous(), b = bias.contiguous();
        const auto run = x.scalar_type() == at::kFloat ? normImages<float> : normImages<uint16_t>;
        run(x, w, b, static_cast<float>(epsilon), out, mean, rstd);
        context->save_for_backward({x, weight, bias, mean, rstd});
        context->saved_data["epsilon"] = epsilon;
        return out;
    }

    static List backward(Context *context, List gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &weight = saved[1];
        if (at::GradMode::is_enabled()) {
            const double epsilon = context->saved_data["epsilon"].toDouble();
            auto found = differentiableGradients(
                [epsilon](const List &inputs) {
                    // In the usual order, in which libtorch's is fast.
                    return at::group_norm(inputs[0].contiguous(), inputs[0].size(1), inputs[1],
                                          inputs[2], epsilon);
                },
                {x, weight, saved[2]}, gradients[0]);
            found.emplace_back();
            return found;
        }
        const auto g = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
        const auto dx = at::empty_like(x);
        const auto dweight = at::empty_like(saved[3]), dbias = at::empty_like(saved[3]);
        const auto run =
            x.scalar_type() == at::kFloat ? normImagesGradient<float> : normImagesGradient<uint16_t>;
        run(g, x, weight.contiguous(), saved[3], saved[4], dx, dweight, dbias);
        return {dx, dweight.sum(0), dbias.sum(0), {}};
    }
};

}  // namespace

int ct_group_norm(CTTensor *x, int64_t groups, CTTensor *weight, CTTensor *bias, double epsilon,
                  CTTensor **out) {
    return guarded([&] {
        const auto &input = unwrap(x);
        const auto w = unwrapOptional(weight), b = unwrapOptional(bias);
        const auto isVector = [&](const std::optional<at::Tensor> &tensor) {
            return tensor.has_value() && tensor->is_cpu() && tensor->dim() == 1 &&
                   tensor->size(0) == groups && tensor->scalar_type() == at::kFloat;
        };
        const bool isFast =
            usesLoops() && input.dim() == 4 && input.is_cpu() && input.size(1) == groups &&
            input.numel() > 0 && input.size(2) * input.size(3) > 1 && !input.is_contiguous() &&
            input.is_contiguous(at::MemoryFormat::ChannelsLast) &&
            (input.scalar_type() == at::kFloat || input.scalar_type() == at::kBFloat16) &&
            isVector(w) && isVector(b);
        *out = wrap(isFast ? InstanceNorm::apply(input, *w, *b, epsilon)
                           : at::group_norm(input, groups, w, b, epsilon));
    });
}
