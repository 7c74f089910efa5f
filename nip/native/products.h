// Products and transposes of small matrices.
#pragma once
#include "lanes.h"

// Keeps a value in a register that the compiler would load again in each instruction.
#if defined(__AVX512F__)
#define IN_REGISTER(value) asm("" : "+v"(value))
#elif defined(__AVX__)
#define IN_REGISTER(value) asm("" : "+x"(value))
#else
#define IN_REGISTER(value)
#endif

namespace {

// A matrix by rows, or turned: the transpose of a matrix by rows.
struct Matrix {
    const float* data;
    int64_t stride;
    bool is_turned = false;
};
enum Start { ZERO, ADD, BIAS_OF_ROW, BIAS_OF_COLUMN };

// A block of c = start + a b in registers.
template <int ROWS, int COLS, bool TURNED, Start START>
void tile(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc,
          int64_t inner, const float* bias) {
    Vec sums[ROWS][COLS];
    UNROLLED
    for (int r = 0; r < ROWS; ++r)
        UNROLLED
        for (int v = 0; v < COLS; ++v) {
            const Vec zero{};
            if (START == ADD) sums[r][v] = load(c + r * ldc + v * LANES);
            else if (START == BIAS_OF_ROW) sums[r][v] = zero + bias[r];
            else if (START == BIAS_OF_COLUMN) sums[r][v] = load(bias + v * LANES);
            else sums[r][v] = zero;
        }
    for (int64_t k = 0; k < inner; ++k, b += ldb) {
        Vec right[COLS];
        UNROLLED
        for (int v = 0; v < COLS; ++v) {
            right[v] = load(b + v * LANES);
            IN_REGISTER(right[v]);
        }
        UNROLLED
        for (int r = 0; r < ROWS; ++r) {
            const float left = TURNED ? a[k * lda + r] : a[r * lda + k];
            UNROLLED
            for (int v = 0; v < COLS; ++v) sums[r][v] += left * right[v];
        }
    }
    UNROLLED
    for (int r = 0; r < ROWS; ++r)
        UNROLLED
        for (int v = 0; v < COLS; ++v) store(c + r * ldc + v * LANES, sums[r][v]);
}

// `count` blocks of `rows` rows, of which there are at most MOST, below each other.
template <int MOST, int COLS, bool TURNED, Start START>
inline void tiles(int64_t rows, int64_t count, const float*& a, int64_t lda, const float* b,
                  int64_t ldb, float*& c, int64_t ldc, int64_t inner, const float*& bias) {
    if constexpr (MOST > 0) {
        if (rows < MOST) {
            tiles<MOST - 1, COLS, TURNED, START>(rows, count, a, lda, b, ldb, c, ldc, inner, bias);
            return;
        }
        for (; count > 0; --count) {
            tile<MOST, COLS, TURNED, START>(a, lda, b, ldb, c, ldc, inner, bias);
            a += MOST * (TURNED ? 1 : lda), c += MOST * ldc;
            if (START == BIAS_OF_ROW) bias += MOST;
        }
    }
}

// Rows are divided evenly: a processor hides the latency of a sum behind those of other rows.
template <int COLS, bool TURNED, Start START>
void strip(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc,
           int64_t rows, int64_t inner, const float* bias) {
    constexpr int MOST = COLS == 1 ? 8 : COLS == 2 ? 6 : 4;  // As many sums as registers can hold.
    const int64_t blocks = (rows + MOST - 1) / MOST;
    if (blocks == 0) return;
    const int64_t fewer = rows / blocks, larger = rows % blocks;
    tiles<MOST, COLS, TURNED, START>(fewer + 1, larger, a, lda, b, ldb, c, ldc, inner, bias);
    tiles<MOST, COLS, TURNED, START>(fewer, blocks - larger, a, lda, b, ldb, c, ldc, inner, bias);
}

template <bool TURNED, Start START>
void strips(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc,
            int64_t rows, int64_t inner, int64_t cols, const float* bias) {
    constexpr int64_t STEP = START == BIAS_OF_COLUMN;
    for (; cols == 2 * LANES || cols > 3 * LANES; cols -= 2 * LANES) {
        strip<2, TURNED, START>(a, lda, b, ldb, c, ldc, rows, inner, bias);
        b += 2 * LANES, c += 2 * LANES, bias += STEP * 2 * LANES;
    }
    if (cols == 3 * LANES) strip<3, TURNED, START>(a, lda, b, ldb, c, ldc, rows, inner, bias);
    else if (cols > 0) strip<1, TURNED, START>(a, lda, b, ldb, c, ldc, rows, inner, bias);
}

// c(rows, cols) = start + a(rows, inner) b(inner, cols); cols is a multiple of LANES.
template <Start START = ZERO>
void multiply(Matrix a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows,
              int64_t inner, int64_t cols, const float* bias = nullptr) {
    if (a.is_turned) strips<true, START>(a.data, a.stride, b, ldb, c, ldc, rows, inner, cols, bias);
    else strips<false, START>(a.data, a.stride, b, ldb, c, ldc, rows, inner, cols, bias);
}

// to(column, row) = from(row, column).
void transpose(const float* from, int64_t ldf, float* to, int64_t ldt, int64_t rows, int64_t cols) {
    for (int64_t c = 0; c < cols; ++c)
        for (int64_t r = 0; r < rows; ++r) to[c * ldt + r] = from[r * ldf + c];
}
void copy_rows(const float* from, int64_t ldf, float* to, int64_t ldt, int64_t rows, int64_t cols) {
    for (int64_t r = 0; r < rows; ++r) std::memcpy(to + r * ldt, from + r * ldf, cols * sizeof *to);
}

// Squares that are turned have eight rows and columns, whatever a vector holds.
constexpr int64_t SQUARE = 8;
typedef float Eight __attribute__((vector_size(4 * SQUARE)));
typedef int32_t EightInts __attribute__((vector_size(4 * SQUARE)));
inline Eight load_eight(const float* from) {
    Eight value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
inline void store_eight(float* to, Eight value) { std::memcpy(to, &value, sizeof value); }

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLED(one, other, ...) __builtin_shufflevector(one, other, __VA_ARGS__)
#else
#define SHUFFLED(one, other, ...) __builtin_shuffle(one, other, EightInts{__VA_ARGS__})
#endif

// Turn a square of SQUARE rows: pairs of numbers, then of pairs, then of halves change places.
inline void turn_square(const Eight* x, Eight* y) {
    Eight u[SQUARE], w[SQUARE];
    UNROLLED
    for (int i = 0; i < SQUARE; i += 2) {
        u[i] = SHUFFLED(x[i], x[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        u[i + 1] = SHUFFLED(x[i], x[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    UNROLLED
    for (int i = 0; i < SQUARE; i += 4) {
        w[i] = SHUFFLED(u[i], u[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        w[i + 1] = SHUFFLED(u[i], u[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        w[i + 2] = SHUFFLED(u[i + 1], u[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        w[i + 3] = SHUFFLED(u[i + 1], u[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    UNROLLED
    for (int i = 0; i < SQUARE / 2; ++i) {
        y[i] = SHUFFLED(w[i], w[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        y[i + 4] = SHUFFLED(w[i], w[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

// to(column, row) = from(row, column). The number of columns is a multiple of LANES; rows are
// filled up to one with zeros.
void turn(const float* from, int64_t ldf, float* to, int64_t ldt, int64_t rows, int64_t cols) {
    for (int64_t r = 0; r < padded(rows); r += SQUARE)
        for (int64_t c = 0; c < cols; c += SQUARE) {
            Eight x[SQUARE], y[SQUARE];
            UNROLLED
            for (int i = 0; i < SQUARE; ++i)
                x[i] = r + i < rows ? load_eight(from + (r + i) * ldf + c) : Eight{};
            turn_square(x, y);
            UNROLLED
            for (int i = 0; i < SQUARE; ++i) store_eight(to + (c + i) * ldt + r, y[i]);
        }
}

}  // namespace
