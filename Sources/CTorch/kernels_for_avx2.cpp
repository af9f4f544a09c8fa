// The fused loops for processors with AVX2.
#include "kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#define KERNEL_NAME "AVX2"
#define KERNEL_WIDTH 8
#define KERNEL_HAS_BF16 0
#define KERNEL_REGISTERS 16

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
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
const KernelTable kernelsForAVX2 = table;
}
#endif
