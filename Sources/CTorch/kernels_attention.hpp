// Self-attention over short sequences, head by head in the caches: the whole row of scores of a
// query is there at once, so neither scores nor their sums are kept for the way back.
// Included like kernels_vectors.hpp.
//
// Matrix products work on cells of 32 bits: a float32 number, or a pair of bfloat16 numbers that
// follow each other along the axis summed over (with KERNEL_HAS_BF16, for bfloat16 tensors).

typedef uint32_t Cell;

// MARK: - Matrix products

/// The largest number of rows of a tile by its number of vectors: what the registers hold.
#if KERNEL_REGISTERS == 32
constexpr int tileVectors = 4;
constexpr int tileRows[] = {0, 12, 12, 8, 6};
#else
constexpr int tileVectors = 2;
constexpr int tileRows[] = {0, 10, 5};
#endif

/// A matrix of cells read one by one: cell (m, k) at `cells[m·row + k·column]`.
struct Left {
    const Cell *cells;
    int64_t row;
    int64_t column;
};

/// A matrix of cells read in vectors: cell (k, n) at `cells[k·row + n]`.
struct Right {
    const Cell *cells;
    int64_t row;
};

template <bool pairs>
static inline F multiplyAdd(F total, Cell a, U b) {
#if KERNEL_HAS_BF16
    if constexpr (pairs) {
        return _mm512_dpbf16_ps(total, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)b);
    }
#endif
    float value;
    __builtin_memcpy(&value, &a, sizeof value);
    return total + value * (F)b;
}

template <bool pairs, int rows, int vectors>
static void tile(Left a, Right b, int64_t depth, float *c, int64_t cRow, bool adds) {
    F total[rows][vectors];
#pragma clang loop unroll(full)
    for (int m = 0; m < rows; ++m) {
#pragma clang loop unroll(full)
        for (int n = 0; n < vectors; ++n) total[m][n] = adds ? load(c + m * cRow + n * W) : F{};
    }
    for (int64_t k = 0; k < depth; ++k) {
        U line[vectors];
#pragma clang loop unroll(full)
        for (int n = 0; n < vectors; ++n) {
            __builtin_memcpy(&line[n], b.cells + k * b.row + n * W, sizeof line[n]);
        }
#pragma clang loop unroll(full)
        for (int m = 0; m < rows; ++m) {
            Cell cell;  // pairs of bfloat16 need not be aligned like a cell
            __builtin_memcpy(&cell, a.cells + m * a.row + k * a.column, sizeof cell);
#pragma clang loop unroll(full)
            for (int n = 0; n < vectors; ++n) {
                total[m][n] = multiplyAdd<pairs>(total[m][n], cell, line[n]);
            }
        }
    }
#pragma clang loop unroll(full)
    for (int m = 0; m < rows; ++m) {
#pragma clang loop unroll(full)
        for (int n = 0; n < vectors; ++n) store(c + m * cRow + n * W, total[m][n]);
    }
}

/// The tile function for a number of rows that is only known at run time.
template <bool pairs, int vectors, int rows = tileRows[vectors]>
static void tileOf(int64_t count, Left a, Right b, int64_t depth, float *c, int64_t cRow,
                   bool adds) {
    if constexpr (rows > 0) {
        if (count == rows) {
            tile<pairs, rows, vectors>(a, b, depth, c, cRow, adds);
        } else {
            tileOf<pairs, vectors, rows - 1>(count, a, b, depth, c, cRow, adds);
        }
    }
}

/// The columns of c that `vectors` vectors cover, in tiles of nearly equal numbers of rows.
template <bool pairs, int vectors>
static void strip(Left a, Right b, int64_t rows, int64_t depth, float *c, int64_t cRow,
                  bool adds) {
    const int64_t tiles = (rows + tileRows[vectors] - 1) / tileRows[vectors];
    for (int64_t t = 0, m = 0; t < tiles; ++t) {
        const int64_t count = (rows - m + tiles - t - 1) / (tiles - t);
        const Left part{a.cells + m * a.row, a.row, a.column};
        tileOf<pairs, vectors>(count, part, b, depth, c + m * cRow, cRow, adds);
        m += count;
    }
}

/// c = a·b or, if it `adds`, c += a·b; c is [rows, columns], columns a multiple of W.
template <bool pairs>
static void multiply(Left a, Right b, int64_t rows, int64_t columns, int64_t depth, float *c,
                     int64_t cRow, bool adds) {
    int64_t vectors = columns / W;
    for (int64_t n = 0; vectors > 0;) {
        const Right part{b.cells + n, b.row};
        const int64_t strips = (vectors + tileVectors - 1) / tileVectors;
        const int64_t count = (vectors + strips - 1) / strips;
        switch (count) {
            case 1: strip<pairs, 1>(a, part, rows, depth, c + n, cRow, adds); break;
            case 2: strip<pairs, 2>(a, part, rows, depth, c + n, cRow, adds); break;
#if KERNEL_REGISTERS == 32
            case 3: strip<pairs, 3>(a, part, rows, depth, c + n, cRow, adds); break;
            default: strip<pairs, 4>(a, part, rows, depth, c + n, cRow, adds); break;
#endif
        }
        n += count * W;
        vectors -= count;
    }
}

// MARK: - Operands

/// One of q, k, v of one head, or their gradients: rows of `width` elements, `stride` apart.
template <typename T>
struct HeadRows {
    T *values;
    int64_t stride;
    int64_t count;
    int64_t width;

    HeadRows from(int64_t first, int64_t number) const {
        return {values + first * stride, stride, number, width};
    }
};

static inline int64_t roundedUp(int64_t value, int64_t step) {
    return (value + step - 1) / step * step;
}

/// Cells of so many elements: pairs of bfloat16, or float32.
template <bool pairs>
static inline int64_t cellCount(int64_t elements) {
    return pairs ? (elements + 1) / 2 : elements;
}

/// The rows as cells for sums along the width. They are used where they are, but for bfloat16
/// without pairs, which is widened into `buffer`.
template <bool pairs, typename T>
static Left rowCells(HeadRows<const T> x, Cell *buffer) {
    if constexpr (pairs || sizeof(T) == 4) {
        return {(const Cell *)x.values, x.stride * (int64_t)sizeof(T) / 4, 1};
    } else {
        for (int64_t m = 0; m < x.count; ++m) {
            const T *values = x.values + m * x.stride;
            float *target = (float *)buffer + m * x.width;
            FOR_VECTORS(x.width, i, store(target + i, load(values + i)),
                        store(target + i, load(values + i, count), count));
        }
        return {buffer, x.width, 1};
    }
}

/// One stage of the transposition of W vectors: blocks of `distance` change places.
template <int distance>
static inline void transposeStage(F *rows) {
#pragma clang loop unroll(full)
    for (int m = 0; m < W; ++m) {
        if (m & distance) continue;
        const F a = rows[m];
        const F b = rows[m + distance];
        F low = a;
        F high = b;
#pragma clang loop unroll(full)
        for (int i = 0; i < W; ++i) {
            if (i & distance) {
                low[i] = b[i ^ distance];
            } else {
                high[i] = a[i ^ distance];
            }
        }
        rows[m] = low;
        rows[m + distance] = high;
    }
}

/// The transpose of rows of cells: [width, columns]. The columns beyond the last row repeat the
/// first one, so that scores there change no maximum.
static void transpose(Left x, int64_t count, int64_t width, Cell *cells, int64_t columns) {
    for (int64_t n = 0; n < columns; n += W) {
        for (int64_t k = 0; k < width; k += W) {
            const int64_t part = width - k < W ? width - k : W;
            F rows[W];
#pragma clang loop unroll(full)
            for (int m = 0; m < W; ++m) {
                const int64_t row = n + m < count ? n + m : 0;
                const float *p = (const float *)(x.cells + row * x.row + k);
                rows[m] = part == W ? load(p) : load(p, part);
            }
            transposeStage<1>(rows);
            transposeStage<2>(rows);
            if constexpr (W > 4) transposeStage<4>(rows);
            if constexpr (W > 8) transposeStage<8>(rows);
            for (int64_t i = 0; i < part; ++i) store((float *)(cells + (k + i) * columns + n), rows[i]);
        }
    }
}

/// Cells for sums along the rows: [cells of the rows, columns]; zero beyond the last element.
template <bool pairs, typename T>
static void packColumns(HeadRows<const T> x, Cell *cells, int64_t columns) {
    for (int64_t m = 0; m < x.count; m += pairs ? 2 : 1, cells += columns) {
        const T *a = x.values + m * x.stride;
        const bool hasSecond = pairs && m + 1 < x.count;
        const T *b = hasSecond ? a + x.stride : a;
        for (int64_t i = 0; i < columns; i += W) {
            const int64_t count = x.width - i;
            const F first = count >= W ? load(a + i) : load(a + i, count);
            if constexpr (pairs) {
                const F second = count >= W ? load(b + i) : load(b + i, count);
                const U high = hasSecond ? (U)second & 0xffff0000 : U{};
                store((float *)cells + i, (F)(((U)first >> 16) | high));
            } else {
                store((float *)cells + i, first);
            }
        }
    }
}

/// Writes rows of `columns` float32 numbers, times a factor each, to a head's rows.
template <typename T>
static void unpack(const float *rows, int64_t columns, HeadRows<T> y,
                   const float *factors = nullptr) {
    for (int64_t m = 0; m < y.count; ++m) {
        const float *row = rows + m * columns;
        T *target = y.values + m * y.stride;
        const float factor = factors == nullptr ? 1 : factors[m];
        FOR_VECTORS(y.width, i, store(target + i, load(row + i) * factor),
                    store(target + i, load(row + i, count) * factor, count));
    }
}

// MARK: - Softmax

/// A part of e^(scale·(s − max)) for scores s; zero beyond the last token.
template <bool rough>
static inline F exponentials(const float *scores, float maximum, float scale, int64_t left) {
    const F p = exponential<rough>((load(scores) - maximum) * scale);
    return left >= W ? p : firstOf(p, left);
}

static inline float largestOf(const float *row, int64_t columns) {
    F largest = load(row);
    for (int64_t n = W; n < columns; n += W) largest = largerOf(largest, load(row + n));
    return largestOf(largest);
}

/// A bump allocator over one block of memory.
struct Workspace {
    void *memory;
    Cell *next;

    explicit Workspace(int64_t cells)
        : memory(__builtin_malloc(4 * cells + 64)),
          next((Cell *)(((uintptr_t)memory + 63) / 64 * 64)) {}
    Workspace(const Workspace &) = delete;
    ~Workspace() { __builtin_free(memory); }

    Cell *cells(int64_t count) {
        Cell *start = next;
        next += roundedUp(count, 16);
        return start;
    }
    float *floats(int64_t count) { return (float *)cells(count); }
};

/// Queries handled at once: few enough for their scores to stay in the cache, and even.
constexpr int64_t queryBlock = 64;

/// The sizes that both directions work with.
template <bool pairs>
struct HeadSizes {
    int64_t tokens, columns, width, widthCells, tokenCells, scoreCells, block;
    float scale;

    explicit HeadSizes(AttentionShape shape)
        : tokens(shape.tokens), columns(roundedUp(shape.tokens, W)),
          width(roundedUp(shape.headWidth, W)), widthCells(cellCount<pairs>(shape.headWidth)),
          tokenCells(cellCount<pairs>(shape.tokens)), scoreCells(cellCount<pairs>(columns)),
          block(shape.tokens < queryBlock ? shape.tokens : queryBlock),
          scale(1 / __builtin_sqrtf((float)shape.headWidth)) {}
};

/// q, k, v (`part` 0, 1, 2) of one head in [images, tokens, parts, heads, headWidth].
template <typename T>
static HeadRows<T> headOf(T *values, AttentionShape shape, int64_t head, int64_t part,
                          int64_t parts) {
    const int64_t width = shape.heads * shape.headWidth;
    const int64_t image = head / shape.heads;
    const int64_t offset = head % shape.heads * shape.headWidth;
    return {values + (image * shape.tokens * parts + part) * width + offset, parts * width,
            shape.tokens, shape.headWidth};
}

// MARK: - Forward

template <bool pairs, typename T>
static void attentionForward(const void *qkvs, void *outs, AttentionShape shape, int64_t first,
                             int64_t last) {
    const HeadSizes<pairs> size(shape);
    const auto [tokens, columns, width, widthCells, tokenCells, scoreCells, block, scale] = size;
    Workspace memory(2 * tokens * widthCells + widthCells * columns + tokenCells * width +
                     block * (columns + scoreCells + width + 1) + 8 * 16);
    Cell *queryBuffer = memory.cells(tokens * widthCells);
    Cell *keyBuffer = memory.cells(tokens * widthCells);
    Cell *keys = memory.cells(widthCells * columns);
    Cell *values = memory.cells(tokenCells * width);
    float *scores = memory.floats(block * columns);
    // In float32 the scores become the cells of the next product where they are.
    Cell *shares = pairs ? memory.cells(block * scoreCells) : (Cell *)scores;
    float *results = memory.floats(block * width);
    float *factors = memory.floats(block);

    for (int64_t head = first; head < last; ++head) {
        const Left q = rowCells<pairs>(headOf((const T *)qkvs, shape, head, 0, 3), queryBuffer);
        const Left k = rowCells<pairs>(headOf((const T *)qkvs, shape, head, 1, 3), keyBuffer);
        transpose(k, tokens, widthCells, keys, columns);
        packColumns<pairs>(headOf((const T *)qkvs, shape, head, 2, 3), values, width);
        for (int64_t start = 0; start < tokens; start += block) {
            const int64_t count = tokens - start < block ? tokens - start : block;
            multiply<pairs>({q.cells + start * q.row, q.row, 1}, {keys, columns}, count, columns,
                            widthCells, scores, columns, false);
            for (int64_t m = 0; m < count; ++m) {
                float *row = scores + m * columns;
                const float maximum = largestOf(row, columns);
                F total = {};
                for (int64_t n = 0; n < columns; n += W) {
                    const F p = exponentials<pairs>(row + n, maximum, scale, tokens - n);
                    total += p;
                    if constexpr (pairs) {
                        store((Brain *)(shares + m * scoreCells) + n, p);
                    } else {
                        store(row + n, p);
                    }
                }
                factors[m] = 1 / sum(total);
            }
            multiply<pairs>({shares, scoreCells, 1}, {values, width}, count, width, tokenCells,
                            results, width, false);
            unpack(results, width, headOf((T *)outs, shape, head, 0, 1).from(start, count),
                   factors);
        }
    }
}

// MARK: - Backward

/// Two rows as one row of cells for sums along the rows.
static inline void storePairs(Cell *cells, F first, F second) {
    const U line = __builtin_convertvector(narrowed(first), U) |
                   (__builtin_convertvector(narrowed(second), U) << 16);
    __builtin_memcpy(cells, &line, sizeof line);
}

/// What turns e^(scale·(s − max)) into P, and P·dP into dS.
struct RowFactors {
    float reciprocal;  // 1/Σe
    float delta;       // Σ P·dP
};

/// Scores to exponentials in place; `dscores` holds dP.
template <bool rough>
static inline RowFactors exponentiate(float *scores, const float *dscores, int64_t columns,
                                      int64_t tokens, float scale) {
    const float maximum = largestOf(scores, columns);
    F total = {};
    F products = {};
    for (int64_t n = 0; n < columns; n += W) {
        const F p = exponentials<rough>(scores + n, maximum, scale, tokens - n);
        store(scores + n, p);
        total += p;
        products += p * load(dscores + n);
    }
    const float reciprocal = 1 / sum(total);
    return {reciprocal, sum(products) * reciprocal};
}

/// P = softmax(scale·q·kᵀ), out = P·v. With dP = dout·vᵀ and dS = scale·P·(dP − Σ P·dP):
/// dq = dS·k, dk = dSᵀ·q, dv = Pᵀ·dout.
template <bool pairs, typename T>
static void attentionBackward(const void *douts, const void *qkvs, void *dqkvs,
                              AttentionShape shape, int64_t first, int64_t last) {
    const HeadSizes<pairs> size(shape);
    const auto [tokens, columns, width, widthCells, tokenCells, scoreCells, block, scale] = size;
    const int64_t blockCells = cellCount<pairs>(block);
    Workspace memory(4 * tokens * widthCells + 2 * widthCells * columns + 3 * tokenCells * width +
                     2 * tokens * width + block * (2 * columns + width + scoreCells) +
                     2 * blockCells * columns + 16 * 16);
    Cell *buffers[4];
    for (auto &buffer : buffers) buffer = memory.cells(tokens * widthCells);
    Cell *keysAcross = memory.cells(widthCells * columns);
    Cell *valuesAcross = memory.cells(widthCells * columns);
    Cell *queriesDown = memory.cells(tokenCells * width);
    Cell *keysDown = memory.cells(tokenCells * width);
    Cell *doutsDown = memory.cells(tokenCells * width);
    float *dkeys = memory.floats(tokens * width);
    float *dvalues = memory.floats(tokens * width);
    float *scores = memory.floats(block * columns);
    float *dscores = memory.floats(block * columns);
    float *dqueries = memory.floats(block * width);
    // P down the rows, dS down the rows and along them. In float32 they are cells themselves.
    Cell *sharesDown = pairs ? memory.cells(blockCells * columns) : (Cell *)scores;
    Cell *slopesDown = pairs ? memory.cells(blockCells * columns) : (Cell *)dscores;
    Cell *slopesAcross = pairs ? memory.cells(block * scoreCells) : (Cell *)dscores;

    for (int64_t head = first; head < last; ++head) {
        const auto queryRows = headOf((const T *)qkvs, shape, head, 0, 3);
        const auto keyRows = headOf((const T *)qkvs, shape, head, 1, 3);
        const auto valueRows = headOf((const T *)qkvs, shape, head, 2, 3);
        const auto doutRows = headOf((const T *)douts, shape, head, 0, 1);
        const Left q = rowCells<pairs>(queryRows, buffers[0]);
        const Left dout = rowCells<pairs>(doutRows, buffers[1]);
        transpose(rowCells<pairs>(keyRows, buffers[2]), tokens, widthCells, keysAcross, columns);
        transpose(rowCells<pairs>(valueRows, buffers[3]), tokens, widthCells, valuesAcross,
                  columns);
        packColumns<pairs>(queryRows, queriesDown, width);
        packColumns<pairs>(keyRows, keysDown, width);
        packColumns<pairs>(doutRows, doutsDown, width);

        for (int64_t start = 0; start < tokens; start += block) {
            const int64_t count = tokens - start < block ? tokens - start : block;
            multiply<pairs>({q.cells + start * q.row, q.row, 1}, {keysAcross, columns}, count,
                            columns, widthCells, scores, columns, false);
            multiply<pairs>({dout.cells + start * dout.row, dout.row, 1}, {valuesAcross, columns},
                            count, columns, widthCells, dscores, columns, false);
            if constexpr (pairs) {
                for (int64_t m = 0; m < count; m += 2) {
                    float *p[2] = {scores + m * columns, scores + (m + 1) * columns};
                    float *d[2] = {dscores + m * columns, dscores + (m + 1) * columns};
                    const bool hasSecond = m + 1 < count;
                    const RowFactors a = exponentiate<true>(p[0], d[0], columns, tokens, scale);
                    RowFactors b = {0, 0};
                    if (hasSecond) b = exponentiate<true>(p[1], d[1], columns, tokens, scale);
                    Brain *slopes[2] = {(Brain *)(slopesAcross + m * scoreCells),
                                        (Brain *)(slopesAcross + (m + 1) * scoreCells)};
                    for (int64_t n = 0; n < columns; n += W) {
                        const F share0 = load(p[0] + n) * a.reciprocal;
                        const F slope0 = share0 * (load(d[0] + n) - a.delta) * scale;
                        store(slopes[0] + n, slope0);
                        F share1 = {};
                        F slope1 = {};
                        if (hasSecond) {
                            share1 = load(p[1] + n) * b.reciprocal;
                            slope1 = share1 * (load(d[1] + n) - b.delta) * scale;
                            store(slopes[1] + n, slope1);
                        }
                        storePairs(sharesDown + m / 2 * columns + n, share0, share1);
                        storePairs(slopesDown + m / 2 * columns + n, slope0, slope1);
                    }
                }
            } else {
                for (int64_t m = 0; m < count; ++m) {
                    float *p = scores + m * columns;
                    float *d = dscores + m * columns;
                    const RowFactors row = exponentiate<false>(p, d, columns, tokens, scale);
                    for (int64_t n = 0; n < columns; n += W) {
                        const F share = load(p + n) * row.reciprocal;
                        store(p + n, share);
                        store(d + n, share * (load(d + n) - row.delta) * scale);
                    }
                }
            }
            multiply<pairs>({slopesAcross, scoreCells, 1}, {keysDown, width}, count, width,
                            tokenCells, dqueries, width, false);
            unpack(dqueries, width, headOf((T *)dqkvs, shape, head, 0, 3).from(start, count));
            const int64_t depth = cellCount<pairs>(count);
            const int64_t down = cellCount<pairs>(start) * width;
            multiply<pairs>({sharesDown, 1, columns}, {doutsDown + down, width}, tokens, width,
                            depth, dvalues, width, start > 0);
            multiply<pairs>({slopesDown, 1, columns}, {queriesDown + down, width}, tokens, width,
                            depth, dkeys, width, start > 0);
        }
        unpack(dkeys, width, headOf((T *)dqkvs, shape, head, 1, 3));
        unpack(dvalues, width, headOf((T *)dqkvs, shape, head, 2, 3));
    }
}
