// For loops that the compiler turns into vector instructions.
#pragma once

#include <cstdint>
#include <cstring>

// The compiler makes one version of each function for every instruction set worth having, and the
// right one is chosen when the program starts.
#if defined(__linux__) && defined(__x86_64__)
#define CT_FOR_EVERY_PROCESSOR \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CT_FOR_EVERY_PROCESSOR
#endif
#define CT_INLINE __attribute__((always_inline)) inline

namespace ctorch {

CT_INLINE float load(const float *p) { return *p; }
CT_INLINE void store(float *p, float value) { *p = value; }

CT_INLINE float load(const uint16_t *p) {
    const uint32_t bits = static_cast<uint32_t>(*p) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// bfloat16, rounded to nearest, halves to even.
CT_INLINE void store(uint16_t *p, float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    *p = value == value ? static_cast<uint16_t>(rounded) : 0x7FC0;
}

}  // namespace ctorch
