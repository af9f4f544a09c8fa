// Which instruction set the fused loops use.
#include "kernels.hpp"
#include "support.hpp"

#include <cstring>

namespace ctorch {
namespace {

/// The tables that run on this processor, the best first.
const std::vector<const KernelTable *> &availableKernels() {
    static const auto tables = [] {
        std::vector<const KernelTable *> found;
#if defined(__x86_64__)
        __builtin_cpu_init();
        const bool hasAVX512 = __builtin_cpu_supports("avx512f") &&
                               __builtin_cpu_supports("avx512bw") &&
                               __builtin_cpu_supports("avx512vl") &&
                               __builtin_cpu_supports("avx512dq");
        if (hasAVX512 && __builtin_cpu_supports("avx512bf16")) {
            found.push_back(&kernelsForAVX512BF16);
        }
        if (hasAVX512) found.push_back(&kernelsForAVX512);
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            found.push_back(&kernelsForAVX2);
        }
#endif
        found.push_back(&kernelsForAny);
        return found;
    }();
    return tables;
}

thread_local const KernelTable *chosen = nullptr;
thread_local bool composes = false;
constexpr const char *noLoops = "none";

}  // namespace

const KernelTable &kernels() {
    return chosen != nullptr ? *chosen : *availableKernels().front();
}

bool usesLoops() { return !composes; }

}  // namespace ctorch

using namespace ctorch;

int ct_kernels_name(const char **name) {
    return guarded([&] { *name = composes ? noLoops : kernels().name; });
}

int ct_kernels_choose(const char *name, bool *found) {
    return guarded([&] {
        composes = name != nullptr && std::strcmp(name, noLoops) == 0;
        *found = name == nullptr || composes;
        if (name == nullptr) chosen = nullptr;
        for (const auto *table : availableKernels()) {
            if (name == nullptr || std::strcmp(table->name, name) != 0) continue;
            chosen = table;
            *found = true;
        }
    });
}
