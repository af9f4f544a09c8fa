// Shared by the C++ sources of this target: the guard, and the two words of ownership.
#pragma once

#if !__has_include(<ATen/ATen.h>)
#error "libtorch was not found at .libtorch: run `make setup` first (LIBTORCH=/path/to/torch uses one of your own)"
#else

#include <ATen/ATen.h>

#include <atomic>
#include <cmath>
#include <vector>

#include "CTorch.h"

struct CTTensor {
    at::Tensor value;
};

namespace ctorch {

extern std::atomic<int64_t> liveCount;
/// References made by this thread minus those it freed.
extern constinit thread_local int64_t threadBalance;

/// Records the exception in flight as the thread's last error and returns its code.
int recordCurrentException() noexcept;

/// Runs `body` and turns every exception into a status.
template <typename Body>
int guarded(Body &&body) noexcept {
    try {
        body();
        return CT_OK;
    } catch (...) {
        return recordCurrentException();
    }
}

/// A new reference, owned by the caller.
inline CTTensor *wrap(at::Tensor value) {
    auto *reference = new CTTensor{std::move(value)};
    liveCount.fetch_add(1, std::memory_order_relaxed);
    ++threadBalance;
    return reference;
}

/// Borrows.
inline const at::Tensor &unwrap(CTTensor *reference) { return reference->value; }

inline std::optional<at::Tensor> unwrapOptional(CTTensor *reference) {
    if (reference == nullptr) return std::nullopt;
    return reference->value;
}

inline std::vector<at::Tensor> unwrapList(CTTensor *const *list, size_t count) {
    std::vector<at::Tensor> values;
    values.reserve(count);
    for (size_t i = 0; i < count; ++i) values.push_back(list[i]->value);
    return values;
}

inline at::ScalarType scalarType(int dtype) { return static_cast<at::ScalarType>(dtype); }

inline at::Device deviceOf(int kind, int index) {
    auto type = static_cast<at::DeviceType>(kind);
    return type == at::kCPU ? at::Device(type)
                            : at::Device(type, static_cast<c10::DeviceIndex>(index));
}

/// A whole number stays an integer beside an integer tensor, so that its type is kept.
inline at::Scalar scalarFor(const at::Tensor &tensor, double value) {
    // Infinities and other numbers beyond 64 bits are no int64_t.
    const bool isWhole = value == std::floor(value) && value >= -0x1p63 && value < 0x1p63;
    if (isWhole && at::isIntegralType(tensor.scalar_type(), /*includeBool=*/true)) {
        return at::Scalar(static_cast<int64_t>(value));
    }
    return at::Scalar(value);
}

}  // namespace ctorch

#endif
