// The fused loops for processors with AVX512-BF16.
#include "kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#define KERNEL_NAME "AVX512-BF16"
#define KERNEL_WIDTH 16
#define KERNEL_HAS_BF16 1
#define KERNEL_REGISTERS 32

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma"))), apply_to = function)
namespace ctorch {
namespace {
#include "kernels_vectors.hpp"
#include "kernels_rows.hpp"
#include "kernels_attention.hpp"
#include "kernels_table.hpp"
}  // namespace
}  // namespace ctorch
#pragma clang attribute pop

namespace ctorch {
const KernelTable kernelsForAVX512BF16 = table;
}
#endif
