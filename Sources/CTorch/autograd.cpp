// Gradients, and the thread-local modes that go with them.
#include "support.hpp"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

using namespace ctorch;

int ct_requires_grad_set(CTTensor *x, bool value) {
    return guarded([&] { unwrap(x).set_requires_grad(value); });
}

int ct_requires_grad_get(CTTensor *x, bool *value) {
    return guarded([&] { *value = unwrap(x).requires_grad(); });
}

int ct_detach(CTTensor *x, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(x).detach()); });
}

int ct_grad_get(CTTensor *x, CTTensor **out) {
    return guarded([&] {
        const auto &gradient = unwrap(x).grad();
        *out = gradient.defined() ? wrap(gradient) : nullptr;
    });
}

int ct_grad_set(CTTensor *x, CTTensor *gradient) {
    return guarded([&] {
        const auto &tensor = unwrap(x);
        at::Tensor value = gradient == nullptr ? at::Tensor() : unwrap(gradient);
        if (value.defined()) {
            TORCH_CHECK(value.sizes() == tensor.sizes() &&
                            value.scalar_type() == tensor.scalar_type() &&
                            value.device() == tensor.device(),
                        "expected a gradient like the tensor, ", tensor.scalar_type(),
                        tensor.sizes(), " on ", tensor.device(), ", but it is ",
                        value.scalar_type(), value.sizes(), " on ", value.device());
            // The fused optimizers go through the memory of both in one order.
            if (value.strides() != tensor.strides() && tensor.is_non_overlapping_and_dense()) {
                value = at::empty_like(tensor, tensor.options(), at::MemoryFormat::Preserve)
                            .copy_(value);
            }
        }
        tensor.mutable_grad() = value;
    });
}

int ct_backward(CTTensor *x, CTTensor *gradient, bool retain_graph, bool create_graph) {
    return guarded([&] {
        torch::autograd::variable_list gradients;
        if (gradient != nullptr) gradients.push_back(unwrap(gradient));
        torch::autograd::backward({unwrap(x)}, gradients, retain_graph, create_graph);
    });
}

int ct_grad(CTTensor *const *outputs, size_t output_count, CTTensor *const *inputs,
            size_t input_count, CTTensor *const *output_gradients, bool retain_graph,
            bool create_graph, CTTensor **out) {
    return guarded([&] {
        torch::autograd::variable_list weights;
        if (output_gradients != nullptr) weights = unwrapList(output_gradients, output_count);
        const auto gradients = torch::autograd::grad(
            unwrapList(outputs, output_count), unwrapList(inputs, input_count), weights,
            retain_graph, create_graph, /*allow_unused=*/true);
        for (size_t i = 0; i < input_count; ++i) {
            out[i] = gradients[i].defined() ? wrap(gradients[i]) : nullptr;
        }
    });
}

int ct_grad_mode_get(bool *enabled) {
    return guarded([&] { *enabled = at::GradMode::is_enabled(); });
}

int ct_grad_mode_set(bool enabled) {
    return guarded([&] { at::GradMode::set_enabled(enabled); });
}

int ct_inference_begin(void **guard) {
    return guarded([&] { *guard = new c10::InferenceMode(true); });
}

int ct_inference_end(void *guard) {
    return guarded([&] { delete static_cast<c10::InferenceMode *>(guard); });
}

int ct_autocast_get(int device, bool *enabled, int *dtype) {
    return guarded([&] {
        const auto type = static_cast<at::DeviceType>(device);
        *enabled = at::autocast::is_autocast_enabled(type);
        *dtype = static_cast<int>(at::autocast::get_autocast_dtype(type));
    });
}

int ct_autocast_set(int device, bool enabled, int dtype) {
    return guarded([&] {
        const auto type = static_cast<at::DeviceType>(device);
        at::autocast::set_autocast_dtype(type, scalarType(dtype));
        at::autocast::set_autocast_enabled(type, enabled);
    });
}

int ct_autocast_enter(void) {
    return guarded([] { at::autocast::increment_nesting(); });
}

int ct_autocast_forget(void) {
    return guarded([] {
        const bool isInside = at::autocast::increment_nesting() > 1;
        at::autocast::decrement_nesting();
        if (isInside) at::autocast::clear_cache();
    });
}

int ct_autocast_leave(void) {
    return guarded([] {
        if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    });
}
