// Creation, description and copies of tensors.
#include "support.hpp"

#include <c10/core/DeviceGuard.h>

#include <cstring>
#include <optional>

using namespace ctorch;

static_assert(static_cast<int>(at::kByte) == 0 && static_cast<int>(at::kLong) == 4 &&
                  static_cast<int>(at::kHalf) == 5 && static_cast<int>(at::kFloat) == 6 &&
                  static_cast<int>(at::kBool) == 11 && static_cast<int>(at::kBFloat16) == 15,
              "Torch.DType holds these numbers");

void ct_tensor_free(CTTensor *tensor) {
    delete tensor;
    liveCount.fetch_sub(1, std::memory_order_relaxed);
    --threadBalance;
}

int ct_tensor_copy_reference(CTTensor *tensor, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(tensor)); });
}

int ct_tensor_empty(const int64_t *sizes, size_t rank, int dtype, int device, int index,
                    CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::empty({sizes, rank},
                              at::dtype(scalarType(dtype)).device(deviceOf(device, index))));
    });
}

int ct_tensor_full(const int64_t *sizes, size_t rank, double value, int dtype, int device,
                   int index, CTTensor **out) {
    return guarded([&] {
        *out = wrap(at::full({sizes, rank}, value,
                             at::dtype(scalarType(dtype)).device(deviceOf(device, index))));
    });
}

int ct_tensor_zeros_like(CTTensor *tensor, CTTensor **out) {
    return guarded([&] { *out = wrap(at::zeros_like(unwrap(tensor).detach())); });
}

int ct_tensor_range(double start, double end, double step, int dtype, CTTensor **out) {
    return guarded([&] { *out = wrap(at::arange(start, end, step, scalarType(dtype))); });
}

int ct_tensor_from_bytes(const void *bytes, size_t byte_count, const int64_t *sizes, size_t rank,
                         int dtype, CTTensor **out) {
    return guarded([&] {
        auto tensor = at::empty({sizes, rank}, scalarType(dtype));
        TORCH_CHECK(tensor.nbytes() == byte_count, "the shape needs ", tensor.nbytes(),
                    " bytes, but ", byte_count, " were given");
        std::memcpy(tensor.data_ptr(), bytes, byte_count);
        *out = wrap(std::move(tensor));
    });
}

int ct_tensor_from_memory(void *bytes, const int64_t *sizes, const int64_t *strides, size_t rank,
                          int dtype, void (*release)(void *), void *context, CTTensor **out) {
    return guarded([&] {
        at::OptionalIntArrayRef steps;
        if (strides != nullptr) steps = at::IntArrayRef(strides, rank);
        *out = wrap(at::for_blob(bytes, {sizes, rank})
                        .strides(steps)
                        .context(context, release)
                        .options(at::dtype(scalarType(dtype)))
                        .make_tensor());
    });
}

int ct_tensor_to_bytes(CTTensor *tensor, void *bytes, size_t byte_count) {
    return guarded([&] {
        const auto source = unwrap(tensor).detach().to(at::kCPU).contiguous();
        TORCH_CHECK(source.nbytes() == byte_count, "the tensor has ", source.nbytes(),
                    " bytes, but room is for ", byte_count);
        std::memcpy(bytes, source.const_data_ptr(), byte_count);
    });
}

int ct_tensor_rank(CTTensor *tensor, size_t *rank) {
    return guarded([&] { *rank = static_cast<size_t>(unwrap(tensor).dim()); });
}

int ct_tensor_sizes(CTTensor *tensor, int64_t *sizes) {
    return guarded([&] {
        const auto list = unwrap(tensor).sizes();
        std::copy(list.begin(), list.end(), sizes);
    });
}

int ct_tensor_strides(CTTensor *tensor, int64_t *strides) {
    return guarded([&] {
        const auto list = unwrap(tensor).strides();
        std::copy(list.begin(), list.end(), strides);
    });
}

int ct_tensor_dtype(CTTensor *tensor, int *dtype) {
    return guarded([&] { *dtype = static_cast<int>(unwrap(tensor).scalar_type()); });
}

int ct_tensor_device(CTTensor *tensor, int *device, int *index) {
    return guarded([&] {
        const auto place = unwrap(tensor).device();
        *device = static_cast<int>(place.type());
        *index = place.has_index() ? place.index() : 0;
    });
}

int ct_tensor_data(CTTensor *tensor, void **data) {
    return guarded([&] { *data = unwrap(tensor).data_ptr(); });
}

int ct_tensor_item(CTTensor *tensor, double *value) {
    return guarded([&] { *value = unwrap(tensor).item().toDouble(); });
}

int ct_tensor_is_contiguous(CTTensor *tensor, bool channels_last, bool *result) {
    return guarded([&] {
        *result = unwrap(tensor).is_contiguous(channels_last ? at::MemoryFormat::ChannelsLast
                                                             : at::MemoryFormat::Contiguous);
    });
}

int ct_tensor_is_same(CTTensor *a, CTTensor *b, bool *result) {
    return guarded([&] { *result = unwrap(a).is_same(unwrap(b)); });
}

int ct_tensor_shares_storage(CTTensor *a, CTTensor *b, bool *result) {
    return guarded([&] { *result = unwrap(a).is_alias_of(unwrap(b)); });
}

// The elements in page-locked memory, in the same order; nothing where no more pages can be locked.
static std::optional<at::Tensor> pageLocked(const at::Tensor &source, at::ScalarType type,
                                            at::Device target) {
    // The first use of CUDA would otherwise be on device 0.
    const c10::DeviceGuard guard(target);
    try {
        return at::empty_like(source, at::dtype(type).pinned_memory(true)).copy_(source);
    } catch (const c10::Error &) {
        return std::nullopt;
    }
}

int ct_tensor_to(CTTensor *tensor, int dtype, int device, int index, bool copy, CTTensor **out) {
    return guarded([&] {
        const auto target = deviceOf(device, index);
        const auto type = scalarType(dtype);
        const at::Tensor source = unwrap(tensor);
        // A copy to a GPU from ordinary memory waits for all that the GPU was given before; one
        // from page-locked memory takes its turn. libtorch keeps that memory for later copies;
        // large tensors, of which there are few, therefore do without. So do those that require
        // gradients: page-locking has no derivative.
        constexpr int64_t largest = 64 << 20;
        const auto bytes = source.numel() * static_cast<int64_t>(c10::elementSize(type));
        if (target.is_cuda() && source.is_cpu() && !source.requires_grad() && bytes > 0 &&
            bytes <= largest) {
            if (const auto locked = pageLocked(source, type, target)) {
                *out = wrap(locked->to(target, type, /*non_blocking=*/true, copy));
                return;
            }
        }
        *out = wrap(source.to(target, type, /*non_blocking=*/false, copy));
    });
}

int ct_tensor_clone(CTTensor *tensor, CTTensor **out) {
    return guarded([&] { *out = wrap(unwrap(tensor).clone()); });
}

int ct_tensor_contiguous(CTTensor *tensor, bool channels_last, CTTensor **out) {
    return guarded([&] {
        *out = wrap(unwrap(tensor).contiguous(channels_last ? at::MemoryFormat::ChannelsLast
                                                            : at::MemoryFormat::Contiguous));
    });
}

int ct_tensor_copy(CTTensor *target, CTTensor *source) {
    return guarded([&] { unwrap(target).copy_(unwrap(source)); });
}
