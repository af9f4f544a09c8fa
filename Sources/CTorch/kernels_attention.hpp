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
            const Cell cell = a.cells[m * a.row + k * a.column];
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
};

static inline int64_t roundedUp(int64_t value, int64_t step) {
    return (value + step - 1) / step * step;
}

/// Cells of a row: pairs of bfloat16, or float32.
template <bool pairs>
static inline int64_t cellCount(int64_t elements) {
    return pairs ? (elements + 1) / 2 : elements;
}

/// Puts the rows one after another as cells, for sums along the width.
template <bool pairs, typename T>
static void packRows(HeadRows<const T> x, Cell *cells) {
    const int64_t row = cellCount<pairs>(x.width);
    for (int64_t m = 0; m < x.count; ++m) {
        const T *values = x.values + m * x.stride;
        Cell *target = cells + m * row;
        if constexpr (pairs) {
            __builtin_memcpy(target, values, x.width * sizeof(T));
        } else {
            FOR_VECTORS(x.width, i, store((float *)target + i, load(values + i)),
                        store((float *)target + i, load(values + i, count), count));
        }
    }
}

/// The transpose of `packRows`: [cells of the width, columns], zero beyond the last token.
static void transpose(const Cell *rows, int64_t count, int64_t width, Cell *cells,
                      int64_t columns) {
    for (int64_t k = 0; k < width; ++k) {
        Cell *target = cells + k * columns;
        for (int64_t n = 0; n < count; ++n) target[n] = rows[n * width + k];
        for (int64_t n = count; n < columns; ++n) target[n] = 0;
    }
}

/// Two vectors as one vector of pairs: `a` comes first along the axis summed over.
static inline U paired(H a, H b) {
    return __builtin_convertvector(a, U) | (__builtin_convertvector(b, U) << 16);
}

/// Cells for sums along the rows: [cells of the rows, columns]; zero beyond the last element.
template <bool pairs, typename T>
static void packColumns(HeadRows<const T> x, Cell *cells, int64_t columns) {
    const int64_t step = pairs ? 2 : 1;
    for (int64_t m = 0; m < x.count; m += step) {
        const T *a = x.values + m * x.stride;
        const T *b = a + x.stride;
        const bool hasSecond = m + 1 < x.count;
        for (int64_t i = 0; i < columns; i += W) {
            const int64_t count = x.width - i;
            F first = {};
            F second = {};
            if (count >= W) {
                first = load(a + i);
                if (pairs && hasSecond) second = load(b + i);
            } else if (count > 0) {
                first = load(a + i, count);
                if (pairs && hasSecond) second = load(b + i, count);
            }
            if constexpr (pairs) {
                const U line = ((U)first >> 16) | ((U)second & 0xffff0000);
                __builtin_memcpy(cells + i, &line, sizeof line);
            } else {
                store((float *)cells + i, first);
            }
        }
        cells += columns;
    }
}

/// Writes rows of `columns` float32 numbers to the first elements of a head's rows.
template <typename T>
static void unpack(const float *rows, int64_t columns, HeadRows<T> y) {
    for (int64_t m = 0; m < y.count; ++m) {
        const float *row = rows + m * columns;
        T *target = y.values + m * y.stride;
        FOR_VECTORS(y.width, i, store(target + i, load(row + i)),
                    store(target + i, load(row + i, count), count));
    }
}

// MARK: - Softmax

/// The vector of a row that starts at column `n`, −∞ beyond the last token.
static inline F scoresAt(const float *row, int64_t n, int64_t tokens) {
    const F v = load(row + n);
    if (n + W <= tokens) return v;
    I index;
    for (int i = 0; i < W; ++i) index[i] = i;
    return index < (int32_t)(tokens - n) ? v : fill(-__builtin_inff());
}

/// Turns scores into e^(scale·(s − max)) in place; zero beyond the last token. Returns the sum.
static float exponentiate(float *row, int64_t columns, int64_t tokens, float scale) {
    F largest = fill(-__builtin_inff());
    for (int64_t n = 0; n < columns; n += W) largest = largerOf(largest, scoresAt(row, n, tokens));
    float maximum = largest[0];
    for (int i = 1; i < W; ++i) maximum = largest[i] > maximum ? largest[i] : maximum;
    F total = {};
    for (int64_t n = 0; n < columns; n += W) {
        F p = exponential((load(row + n) - maximum) * scale);
        if (n + W > tokens) p = firstOf(p, tokens - n);
        store(row + n, p);
        total += p;
    }
    return sum(total);
}

/// A bump allocator over one block of memory.
struct Workspace {
    Cell *next;

    Cell *cells(int64_t count) {
        Cell *start = next;
        next += roundedUp(count, 16);
        return start;
    }

    float *floats(int64_t count) { return (float *)cells(count); }
};

struct WorkspaceOwner {
    void *memory;
    explicit WorkspaceOwner(int64_t cells) : memory(__builtin_malloc(4 * cells + 64)) {}
    ~WorkspaceOwner() { __builtin_free(memory); }
    Workspace workspace() const {
        return {(Cell *)(((uintptr_t)memory + 63) / 64 * 64)};
    }
};

/// Queries handled at once: few enough for their scores to stay in the cache, and even.
constexpr int64_t queryBlock = 64;

/// q, k, v (`part` 0, 1, 2) of one head in [images, tokens, 3, heads, headWidth].
template <typename T>
static HeadRows<T> headOf(T *qkv, AttentionShape shape, int64_t head, int64_t part) {
    const int64_t width = shape.heads * shape.headWidth;
    const int64_t image = head / shape.heads;
    return {qkv + (image * shape.tokens * 3 + part) * width + head % shape.heads * shape.headWidth,
            3 * width, shape.tokens, shape.headWidth};
}

/// One head in [images, tokens, heads, headWidth].
template <typename T>
static HeadRows<T> headOf(T *x, AttentionShape shape, int64_t head) {
    const int64_t width = shape.heads * shape.headWidth;
    const int64_t image = head / shape.heads;
    return {x + image * shape.tokens * width + head % shape.heads * shape.headWidth, width,
            shape.tokens, shape.headWidth};
}

template <typename T>
static HeadRows<T> rowsOf(HeadRows<T> x, int64_t first, int64_t count) {
    return {x.values + first * x.stride, x.stride, count, x.width};
}

// MARK: - Forward

template <bool pairs, typename T>
static void attentionForward(const void *qkvs, void *outs, AttentionShape shape, int64_t first,
                             int64_t last) {
    const int64_t tokens = shape.tokens;
    const int64_t columns = roundedUp(tokens, W);
    const int64_t width = roundedUp(shape.headWidth, W);
    const int64_t rowCells = cellCount<pairs>(shape.headWidth);
    const int64_t tokenCells = cellCount<pairs>(tokens);
    const int64_t scoreCells = pairs ? columns / 2 : columns;
    const float scale = 1 / __builtin_sqrtf((float)shape.headWidth);
    const int64_t block = tokens < queryBlock ? tokens : queryBlock;

    const WorkspaceOwner owner(tokens * rowCells * 2 + rowCells * columns + tokenCells * width +
                               block * (columns + scoreCells + width) + 8 * 16);
    Workspace memory = owner.workspace();
    Cell *rows = memory.cells(tokens * rowCells);
    Cell *queries = memory.cells(tokens * rowCells);
    Cell *keys = memory.cells(rowCells * columns);
    Cell *values = memory.cells(tokenCells * width);
    float *scores = memory.floats(block * columns);
    Cell *probabilities = pairs ? memory.cells(block * scoreCells) : (Cell *)scores;
    float *results = memory.floats(block * width);
    float sums[queryBlock];

    for (int64_t head = first; head < last; ++head) {
        packRows<pairs>(headOf((const T *)qkvs, shape, head, 0), queries);
        packRows<pairs>(headOf((const T *)qkvs, shape, head, 1), rows);
        transpose(rows, tokens, rowCells, keys, columns);
        packColumns<pairs>(headOf((const T *)qkvs, shape, head, 2), values, width);
        const HeadRows<T> out = headOf((T *)outs, shape, head);
        for (int64_t start = 0; start < tokens; start += block) {
            const int64_t count = tokens - start < block ? tokens - start : block;
            multiply<pairs>({queries + start * rowCells, rowCells, 1}, {keys, columns}, count,
                            columns, rowCells, scores, columns, false);
            for (int64_t m = 0; m < count; ++m) {
                float *row = scores + m * columns;
                sums[m] = exponentiate(row, columns, tokens, scale);
                if constexpr (pairs) {
                    Brain *target = (Brain *)(probabilities + m * scoreCells);
                    for (int64_t n = 0; n < columns; n += W) store(target + n, load(row + n));
                }
            }
            multiply<pairs>({probabilities, scoreCells, 1}, {values, width}, count, width,
                            tokenCells, results, width, false);
            for (int64_t m = 0; m < count; ++m) {
                float *row = results + m * width;
                for (int64_t i = 0; i < width; i += W) store(row + i, load(row + i) / sums[m]);
            }
            unpack(results, width, rowsOf(out, start, count));
        }
    }
}

// MARK: - Backward

/// Two rows of float32 as cells for sums along the rows; `second` may be null (zeros).
static void pairRows(const float *first, const float *second, int64_t columns, Cell *cells) {
    for (int64_t n = 0; n < columns; n += W) {
        const H b = second == nullptr ? H{} : narrowed(load(second + n));
        const U line = paired(narrowed(load(first + n)), b);
        __builtin_memcpy(cells + n, &line, sizeof line);
    }
}

/// P = softmax(scale·q·kᵀ), out = P·v. With dP = dout·vᵀ and dS = scale·P·(dP − Σ P·dP):
/// dq = dS·k, dk = dSᵀ·q, dv = Pᵀ·dout.
template <bool pairs, typename T>
static void attentionBackward(const void *douts, const void *qkvs, void *dqkvs,
                              AttentionShape shape, int64_t first, int64_t last) {
    const int64_t tokens = shape.tokens;
    const int64_t columns = roundedUp(tokens, W);
    const int64_t width = roundedUp(shape.headWidth, W);
    const int64_t rowCells = cellCount<pairs>(shape.headWidth);
    const int64_t tokenCells = cellCount<pairs>(tokens);
    const int64_t scoreCells = pairs ? columns / 2 : columns;
    const float scale = 1 / __builtin_sqrtf((float)shape.headWidth);
    const int64_t block = tokens < queryBlock ? tokens : queryBlock;
    const int64_t blockCells = cellCount<pairs>(block);

    const WorkspaceOwner owner(tokens * rowCells * 3 + rowCells * columns * 2 +
                               tokenCells * width * 3 + tokens * width * 2 +
                               block * (2 * columns + width + scoreCells) +
                               2 * blockCells * columns + 16 * 16);
    Workspace memory = owner.workspace();
    Cell *rows = memory.cells(tokens * rowCells);
    Cell *queries = memory.cells(tokens * rowCells);
    Cell *douts32 = memory.cells(tokens * rowCells);
    Cell *keysAcross = memory.cells(rowCells * columns);
    Cell *valuesAcross = memory.cells(rowCells * columns);
    Cell *queriesDown = memory.cells(tokenCells * width);
    Cell *keysDown = memory.cells(tokenCells * width);
    Cell *doutsDown = memory.cells(tokenCells * width);
    float *dkeys = memory.floats(tokens * width);
    float *dvalues = memory.floats(tokens * width);
    float *scores = memory.floats(block * columns);
    float *dscores = memory.floats(block * columns);
    float *dqueries = memory.floats(block * width);
    // In float32 the scores are cells themselves.
    Cell *dscoreRows = pairs ? memory.cells(block * scoreCells) : (Cell *)dscores;
    Cell *scorePairs = pairs ? memory.cells(blockCells * columns) : (Cell *)scores;
    Cell *dscorePairs = pairs ? memory.cells(blockCells * columns) : (Cell *)dscores;

    for (int64_t head = first; head < last; ++head) {
        const auto q = headOf((const T *)qkvs, shape, head, 0);
        const auto k = headOf((const T *)qkvs, shape, head, 1);
        const auto v = headOf((const T *)qkvs, shape, head, 2);
        const auto dout = headOf((const T *)douts, shape, head);
        packRows<pairs>(q, queries);
        packRows<pairs>(dout, douts32);
        packRows<pairs>(k, rows);
        transpose(rows, tokens, rowCells, keysAcross, columns);
        packRows<pairs>(v, rows);
        transpose(rows, tokens, rowCells, valuesAcross, columns);
        packColumns<pairs>(q, queriesDown, width);
        packColumns<pairs>(k, keysDown, width);
        packColumns<pairs>(dout, doutsDown, width);

        const auto dq = headOf((T *)dqkvs, shape, head, 0);
        for (int64_t start = 0; start < tokens; start += block) {
            const int64_t count = tokens - start < block ? tokens - start : block;
            multiply<pairs>({queries + start * rowCells, rowCells, 1}, {keysAcross, columns},
                            count, columns, rowCells, scores, columns, false);
            multiply<pairs>({douts32 + start * rowCells, rowCells, 1}, {valuesAcross, columns},
                            count, columns, rowCells, dscores, columns, false);
            for (int64_t m = 0; m < count; ++m) {
                float *p = scores + m * columns;
                float *d = dscores + m * columns;
                const float reciprocal = 1 / exponentiate(p, columns, tokens, scale);
                F products = {};
                for (int64_t n = 0; n < columns; n += W) {
                    const F probability = load(p + n) * reciprocal;
                    store(p + n, probability);
                    products += probability * load(d + n);
                }
                const float delta = sum(products);
                for (int64_t n = 0; n < columns; n += W) {
                    const F slope = load(p + n) * (load(d + n) - delta) * scale;
                    store(d + n, slope);
                    if constexpr (pairs) {
                        store((Brain *)(dscoreRows + m * scoreCells) + n, slope);
                    }
                }
                if (pairs && (m % 2 == 1 || m + 1 == count)) {
                    const int64_t even = m / 2 * 2;
                    const bool hasSecond = even < m;
                    const int64_t place = even / 2 * columns;
                    pairRows(scores + even * columns, hasSecond ? p : nullptr, columns,
                             scorePairs + place);
                    pairRows(dscores + even * columns, hasSecond ? d : nullptr, columns,
                             dscorePairs + place);
                }
            }
            multiply<pairs>({dscoreRows, scoreCells, 1}, {keysDown, width}, count, width,
                            tokenCells, dqueries, width, false);
            unpack(dqueries, width, rowsOf(dq, start, count));
            const int64_t depth = cellCount<pairs>(count);
            const int64_t down = cellCount<pairs>(start) * width;
            multiply<pairs>({scorePairs, 1, columns}, {doutsDown + down, width}, tokens, width,
                            depth, dvalues, width, start > 0);
            multiply<pairs>({dscorePairs, 1, columns}, {queriesDown + down, width}, tokens, width,
                            depth, dkeys, width, start > 0);
        }
        unpack(dkeys, width, headOf((T *)dqkvs, shape, head, 1));
        unpack(dvalues, width, headOf((T *)dqkvs, shape, head, 2));
    }
}
