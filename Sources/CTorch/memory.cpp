// What the C library does with memory that was freed, and how much of it tensors take.
#include "support.hpp"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#if defined(__GLIBC__)
#include <malloc.h>

#include <climits>
#endif

using namespace ctorch;

int ct_memory_keep(bool *kept) {
    return guarded([&] {
        *kept = false;
#if defined(__GLIBC__)
        constexpr int growth = 64 << 20;
        // -1 as the limit of trimming means never.
        *kept = mallopt(M_MMAP_THRESHOLD, INT_MAX) == 1 && mallopt(M_TRIM_THRESHOLD, -1) == 1 &&
                mallopt(M_TOP_PAD, growth) == 1;
#endif
    });
}

int ct_memory_give_back(void) {
    return guarded([] {
#if defined(__GLIBC__)
        malloc_trim(0);
#endif
    });
}

namespace {

/// Adds up what libtorch's allocator of the processor tells of one thread.
struct Meter : c10::MemoryReportingInfoBase {
    int64_t current = 0;
    int64_t peak = 0;

    void reportMemoryUsage(void *, int64_t size, size_t, size_t, c10::Device device) override {
        if (!device.is_cpu()) return;
        current += size;
        peak = std::max(peak, current);
    }
    bool memoryProfilingEnabled() const override { return true; }
};

struct RunningMeter {
    std::shared_ptr<Meter> meter = std::make_shared<Meter>();
    c10::DebugInfoGuard guard{c10::DebugInfoKind::PROFILER_STATE, meter};
};

}  // namespace

int ct_memory_meter_begin(void **meter) {
    return guarded([&] { *meter = new RunningMeter(); });
}

int ct_memory_meter_end(void *meter, int64_t *peak) {
    return guarded([&] {
        const std::unique_ptr<RunningMeter> running(static_cast<RunningMeter *>(meter));
        *peak = running->meter->peak;
    });
}
