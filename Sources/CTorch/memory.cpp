// What the C library does with memory that was freed.
#include "support.hpp"

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
