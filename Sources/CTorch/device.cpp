// Devices, threads, memory of accelerators: through libtorch's device-neutral interfaces only.
#include "support.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <dlfcn.h>
#include <string>
#include <unistd.h>

using namespace ctorch;

int ct_cuda_load(bool *loaded) {
    return guarded([&] {
        *loaded = false;
        Dl_info info;
        // The address of a symbol of libtorch_cpu tells where it lies; nothing of it is called.
        if (dladdr(reinterpret_cast<void *>(&at::show_config), &info) == 0) return;
        std::string path = info.dli_fname;
        path = path.substr(0, path.rfind('/') + 1) + "libtorch_cuda.so";
        // Asked first: every system has words of its own for a library that is not there.
        if (access(path.c_str(), F_OK) != 0) return;
        if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
            const char *reason = dlerror();
            throw std::runtime_error(reason == nullptr ? path + " does not load" : reason);
        }
        *loaded = true;
    });
}

int ct_cuda_device_count(int *count) {
    return guarded([&] {
        *count = at::globalContext().hasCUDA()
                     ? static_cast<int>(c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount())
                     : 0;
    });
}

int ct_cuda_convolves_bfloat16(int index, bool *convolves) {
    return guarded([&] {
        *convolves = false;
        if (!at::globalContext().hasCUDA()) return;
        const c10::DeviceGuard guard(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index)));
        *convolves = at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8();
    });
}

int ct_mps_is_available(bool *available) {
    return guarded([&] { *available = at::globalContext().hasMPS(); });
}

int ct_device_synchronize(int device, int index) {
    return guarded([&] {
        if (static_cast<at::DeviceType>(device) == at::kCPU) return;
        c10::impl::VirtualGuardImpl guard(static_cast<at::DeviceType>(device));
        guard.synchronizeDevice(static_cast<c10::DeviceIndex>(index));
    });
}

int ct_device_memory(int device, int index, int64_t *current, int64_t *peak) {
    return guarded([&] {
        *current = *peak = 0;
        if (static_cast<at::DeviceType>(device) != at::kCUDA) return;
        // Before its first tensor the allocator knows no device.
        const auto allocator = at::getDeviceAllocator(at::kCUDA);
        if (!allocator->initialized()) return;
        const auto statistics = allocator->getDeviceStats(static_cast<c10::DeviceIndex>(index));
        *current = statistics.allocated_bytes[0].current;
        *peak = statistics.allocated_bytes[0].peak;
    });
}

int ct_device_total_memory(int device, int index, int64_t *bytes) {
    return guarded([&] {
        const auto allocator = at::getDeviceAllocator(static_cast<at::DeviceType>(device));
        const auto [free, total] = allocator->getMemoryInfo(static_cast<c10::DeviceIndex>(index));
        *bytes = static_cast<int64_t>(total);
    });
}

int ct_device_reset_peak_memory(int device, int index) {
    return guarded([&] {
        if (static_cast<at::DeviceType>(device) != at::kCUDA) return;
        const auto allocator = at::getDeviceAllocator(at::kCUDA);
        if (!allocator->initialized()) return;
        // What an earlier stage has left would be missed by other processes on the device.
        allocator->emptyCache();
        allocator->resetPeakStats(static_cast<c10::DeviceIndex>(index));
    });
}

int ct_threads_get(int *count) {
    return guarded([&] { *count = at::get_num_threads(); });
}

int ct_threads_set(int count) {
    return guarded([&] { at::set_num_threads(count); });
}

int ct_cpu_capability(const char **name) {
    return guarded([&] {
        static const std::string capability = at::get_cpu_capability();
        *name = capability.c_str();
    });
}

int ct_deterministic_set(bool enabled) {
    return guarded([&] { at::globalContext().setDeterministicAlgorithms(enabled, false); });
}

int ct_denormals_flush(bool enabled) {
    return guarded([&] { at::globalContext().setFlushDenormal(enabled); });
}
