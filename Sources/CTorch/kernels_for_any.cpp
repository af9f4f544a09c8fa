// The fused loops with the instructions that every processor of this architecture has.
#include "kernels.hpp"

#define KERNEL_NAME "portable"
#define KERNEL_WIDTH 4
#define KERNEL_HAS_BF16 0
#if defined(__aarch64__)
#define KERNEL_REGISTERS 32
#else
#define KERNEL_REGISTERS 16
#endif

namespace ctorch {
namespace {
#include "kernels_vectors.hpp"
#include "kernels_rows.hpp"
#include "kernels_attention.hpp"
#include "kernels_table.hpp"
}  // namespace

const KernelTable kernelsForAny = table;
}  // namespace ctorch
