// Linear maps of rows, and their derivatives.
#pragma once
#include "products.h"

namespace {

// Weights of a linear map for products from the right: the matrix turned, columns padded.
struct RowMap {
    Buffer w, b;
    void read(const float* const* p, int64_t outs, int64_t ins) {
        w.resize(ins * padded(outs)), b.resize(padded(outs));
        transpose(p[0], ins, w.data(), padded(outs), outs, ins);
        std::memcpy(b.data(), p[1], outs * sizeof(float));
    }
};

// Rows times a map, plus its bias.
void apply(const RowMap& map, const float* x, int64_t ins, float* y, int64_t outs, int64_t rows) {
    const int64_t po = padded(outs);
    multiply<BIAS_OF_COLUMN>({x, padded(ins)}, map.w.data(), po, y, po, rows, ins, po,
                             map.b.data());
}

// A linear map with rows padded, and its gradients.
struct RowMapGradients {
    int64_t outs, ins;
    Buffer w, d_w, d_b;
    RowMapGradients(const float* matrix, int64_t outs_, int64_t ins_)
        : outs(outs_), ins(ins_), w(outs * padded(ins)), d_w(w), d_b(padded(outs)) {
        copy_rows(matrix, ins, w.data(), padded(ins), outs, ins);
    }
    // Add the gradients for some rows, and compute that of the input.
    void add(const float* d_y, const float* x, float* d_x, int64_t rows) {
        const int64_t po = padded(outs), pi = padded(ins);
        multiply<ADD>({d_y, po, true}, x, pi, d_w.data(), pi, outs, rows, pi);
        for (int64_t i = 0; i < rows; ++i) add_to(d_b.data(), d_y + i * po, po);
        multiply({d_y, po}, w.data(), pi, d_x, pi, rows, outs, pi);
    }
    void write(float* const* to) const {
        copy_rows(d_w.data(), padded(ins), to[0], ins, outs, ins);
        std::memcpy(to[1], d_b.data(), outs * sizeof(float));
    }
};

// Change of rows times a map: along that of the rows, t_x, and those of the map.
void apply_tangent(const RowMap& map, const RowMap& t_map, const float* x, const float* t_x,
                   int64_t ins, float* t_y, int64_t outs, int64_t rows) {
    const int64_t pi = padded(ins), po = padded(outs);
    multiply<BIAS_OF_COLUMN>({t_x, pi}, map.w.data(), po, t_y, po, rows, ins, po, t_map.b.data());
    multiply<ADD>({x, pi}, t_map.w.data(), po, t_y, po, rows, ins, po);
}

}  // namespace
