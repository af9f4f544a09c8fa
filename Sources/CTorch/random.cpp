// Counter-based random numbers. Word k of a stream is a function of (seed, stream, k) alone, so
// that any part of a stream can be drawn at any time, by any number of threads.
#include "parallel.hpp"

#include <ATen/core/PhiloxRNGEngine.h>

#include <algorithm>
#include <cmath>

using namespace ctorch;

namespace {
constexpr int64_t grain = 4096;  // words a task, so that small draws stay on one thread

/// `at::philox_engine` counts blocks of four words; the words before `position` are skipped.
at::philox_engine engineAt(uint64_t seed, uint64_t stream, uint64_t position) {
    at::philox_engine engine(seed, stream, position / 4);
    for (uint64_t i = 0; i < position % 4; ++i) engine();
    return engine;
}

float uniform(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// Calls `body(first, last)` for parts of 0..<count with `part` items at least.
template <typename Body>
void inParts(int64_t count, int64_t part, const Body &body) {
    // Parts are what is counted: the helper asks for a byte of memory for each.
    inParallel((count + part - 1) / part, 1, [&](int64_t first, int64_t last) {
        body(first * part, std::min(last * part, count));
    });
}
}  // namespace

int ct_philox_words(uint64_t seed, uint64_t stream, uint64_t position, uint32_t *words,
                    size_t count) {
    return guarded([&] {
        auto engine = engineAt(seed, stream, position);
        for (size_t i = 0; i < count; ++i) words[i] = engine();
    });
}

int ct_philox_uniform(uint64_t seed, uint64_t stream, uint64_t position, float *values,
                      size_t count) {
    return guarded([&] {
        inParts(static_cast<int64_t>(count), grain, [&](int64_t begin, int64_t end) {
            auto engine = engineAt(seed, stream, position + static_cast<uint64_t>(begin));
            for (int64_t i = begin; i < end; ++i) values[i] = uniform(engine());
        });
    });
}

int ct_philox_normal(uint64_t seed, uint64_t stream, uint64_t position, float *values,
                     size_t count) {
    return guarded([&] {
        TORCH_CHECK(position % 2 == 0, "normal numbers come in pairs: the position must be even");
        const auto pairs = static_cast<int64_t>((count + 1) / 2);
        inParts(pairs, grain / 2, [&](int64_t begin, int64_t end) {
            auto engine = engineAt(seed, stream, position + 2 * static_cast<uint64_t>(begin));
            for (int64_t pair = begin; pair < end; ++pair) {
                const float radius = std::sqrt(-2.0f * std::log(1.0f - uniform(engine())));
                const float angle = 6.28318530717958647692f * uniform(engine());
                const auto i = static_cast<size_t>(2 * pair);
                values[i] = radius * std::cos(angle);
                if (i + 1 < count) values[i + 1] = radius * std::sin(angle);
            }
        });
    });
}
