// Results whose intermediate tensors are not kept for the gradient, but computed once more.
#include "support.hpp"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace ctorch {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// A function of Swift with what it captured.
struct Body : torch::CustomClassHolder {
    CTBody function;
    CTRelease releaseContext;
    void *context;

    Body(CTBody function, CTRelease releaseContext, void *context)
        : function(function), releaseContext(releaseContext), context(context) {}
    ~Body() override { releaseContext(context); }

    Tensor operator()(at::TensorList inputs) const {
        std::vector<CTTensor *> references;
        for (const auto &input : inputs) references.push_back(wrap(input));
        CTTensor *result = function(context, references.data(), references.size());
        Tensor value = unwrap(result);
        ct_tensor_free(result);
        return value;
    }
};

/// Autocast of one device.
struct Autocast {
    at::DeviceType device;
    bool isEnabled;
    at::ScalarType type;

    static Autocast current(at::DeviceType device) {
        return {device, at::autocast::is_autocast_enabled(device),
                at::autocast::get_autocast_dtype(device)};
    }

    void apply() const {
        at::autocast::set_autocast_dtype(device, type);
        at::autocast::set_autocast_enabled(device, isEnabled);
    }
};

/// Makes autocast what it was. The casts of weights that it remembers belong to the graph in which
/// they were made, so none enters and none leaves.
struct AutocastScope {
    Autocast previous;
    explicit AutocastScope(const Autocast &state) : previous(Autocast::current(state.device)) {
        at::autocast::clear_cache();
        at::autocast::increment_nesting();
        state.apply();
    }
    ~AutocastScope() {
        at::autocast::clear_cache();
        at::autocast::decrement_nesting();
        previous.apply();
    }
    AutocastScope(const AutocastScope &) = delete;
    AutocastScope &operator=(const AutocastScope &) = delete;
};

struct Recomputed : Function<Recomputed> {
    /// The first `argumentCount` of the inputs are the body's arguments; it knows the others.
    static Tensor forward(AutogradContext *context, at::TensorList inputs, int64_t argumentCount,
                          const c10::intrusive_ptr<Body> &body) {
        const auto autocast = Autocast::current(inputs[0].device().type());
        context->saved_data["body"] = at::IValue::make_capsule(body);
        context->saved_data["arguments"] = argumentCount;
        context->saved_data["device"] = static_cast<int64_t>(autocast.device);
        context->saved_data["enabled"] = autocast.isEnabled;
        context->saved_data["type"] = static_cast<int64_t>(autocast.type);
        context->save_for_backward(inputs.vec());
        const AutocastScope scope(autocast);
        return (*body)(inputs.slice(0, argumentCount));
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const bool isRecorded = at::GradMode::is_enabled();
        const auto body = c10::static_intrusive_pointer_cast<Body>(
            context->saved_data["body"].toCapsule());
        const auto count = static_cast<size_t>(context->saved_data["arguments"].toInt());
        const Autocast autocast{
            static_cast<at::DeviceType>(context->saved_data["device"].toInt()),
            context->saved_data["enabled"].toBool(),
            static_cast<at::ScalarType>(context->saved_data["type"].toInt()),
        };

        // The arguments get a graph of their own, which ends at them; for second derivatives it
        // goes on to where they came from.
        variable_list inputs = context->get_saved_variables(), arguments, wanted;
        const at::AutoGradMode recording(true);
        for (size_t i = 0; i < inputs.size(); ++i) {
            const bool isWanted = inputs[i].requires_grad();
            if (i < count) {
                inputs[i] = isRecorded ? inputs[i].view_as(inputs[i]) : inputs[i].detach();
                if (!isRecorded) inputs[i].set_requires_grad(isWanted);
                arguments.push_back(inputs[i]);
            }
            if (isWanted) wanted.push_back(inputs[i]);
        }
        Tensor output;
        {
            const AutocastScope scope(autocast);
            output = (*body)(arguments);
        }
        const auto found = torch::autograd::grad({output}, wanted, {gradients[0]}, isRecorded,
                                                 isRecorded, /*allow_unused=*/true);
        variable_list results(inputs.size() + 2);
        auto next = found.begin();
        for (size_t i = 0; i < inputs.size(); ++i) {
            if (inputs[i].requires_grad()) results[i] = *next++;
        }
        return results;
    }
};

}  // namespace
}  // namespace ctorch

using namespace ctorch;

int ct_recomputed(CTTensor *const *inputs, size_t count, size_t argument_count, CTBody body,
                  CTRelease release, void *context, CTTensor **out) {
    return guarded([&] {
        const auto owned = c10::make_intrusive<Body>(body, release, context);
        const auto list = unwrapList(inputs, count);
        TORCH_CHECK(argument_count > 0 && argument_count <= count, "there is no input");
        *out = wrap(at::GradMode::is_enabled()
                        ? Recomputed::apply(at::TensorList(list),
                                            static_cast<int64_t>(argument_count), owned)
                        : (*owned)(at::TensorList(list).slice(0, argument_count)));
    });
}
