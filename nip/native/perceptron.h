// A perceptron with one hidden layer, on rows that may have a one-hot class behind their features.
#pragma once
#include "row_maps.h"

namespace {

struct PerceptronSizes {
    // A group of `rows` begins `stride` numbers behind another one. Its rows have its class.
    int64_t groups, rows, stride, features, classes, hidden, outs, activation;
    int64_t ins() const { return features + classes; }
    int64_t pi() const { return padded(ins()); }
    int64_t ph() const { return padded(hidden); }
    // Groups that are computed together: about as many rows as stay in a cache.
    int64_t together() const { return std::max<int64_t>(1, 64 / std::max<int64_t>(1, rows)); }
};

// The rows of some groups, with the class behind.
void read_rows(const PerceptronSizes& z, const float* input, const int64_t* classes, int64_t first,
               int64_t last, float* row) {
    for (int64_t g = first; g < last; ++g)
        for (int64_t r = 0; r < z.rows; ++r, row += z.pi()) {
            const float* from = input + g * z.stride + r * z.features;
            std::memcpy(row, from, z.features * sizeof(float));
            clear(row + z.features, z.pi() - z.features);
            if (classes) row[z.features + classes[g]] = 1.0f;
        }
}

}  // namespace

extern "C" {

// Return whether all classes exist; otherwise nothing is computed. `saved` is null if there will be
// no backward pass.
int nip_perceptron_forward(const int64_t* sizes, const float* input, const int64_t* classes,
                           const float* const* params, float* output, float* saved) {
    const PerceptronSizes& z = *reinterpret_cast<const PerceptronSizes*>(sizes);
    for (int64_t g = 0; classes && g < z.groups; ++g)
        if (classes[g] < 0 || classes[g] >= z.classes) return 0;
    const int64_t ph = z.ph(), step = z.together(), most = step * z.rows;
    RowMap map;
    map.read(params, z.hidden, z.ins());
    Buffer second(z.outs * ph), x(most * z.pi()), space(saved ? 0 : most * ph);
    copy_rows(params[2], z.hidden, second.data(), ph, z.outs, z.hidden);
    for (int64_t first = 0; first < z.groups; first += step) {
        const int64_t last = std::min(first + step, z.groups), n = (last - first) * z.rows;
        float* hidden = saved ? saved + first * z.rows * ph : space.data();
        read_rows(z, input, classes, first, last, x.data());
        apply(map, x.data(), z.ins(), hidden, z.hidden, n);
        activate(hidden, hidden, n * ph, z.activation);
        for (int64_t r = 0; r < n; ++r)
            for (int64_t o = 0; o < z.outs; ++o) {
                Vec total{};
                for (int64_t i = 0; i < ph; i += LANES)
                    total += load(hidden + r * ph + i) * load(second.data() + o * ph + i);
                *output++ = sum(total) + params[3][o];
            }
    }
    return 1;
}

void nip_perceptron_backward(const int64_t* sizes, const float* d_output, const float* input,
                             const int64_t* classes, const float* const* params, const float* saved,
                             float* d_input, float* const* d_params) {
    const PerceptronSizes& z = *reinterpret_cast<const PerceptronSizes*>(sizes);
    const int64_t pi = z.pi(), ph = z.ph(), step = z.together(), most = step * z.rows;
    RowMapGradients map(params[0], z.hidden, z.ins());
    Buffer second(z.outs * ph), d_second(z.outs * ph), x(most * pi), d_x(most * pi);
    Buffer d_hidden(most * ph);
    copy_rows(params[2], z.hidden, second.data(), ph, z.outs, z.hidden);
    clear(d_params[3], z.outs);
    for (int64_t first = 0; first < z.groups; first += step) {
        const int64_t last = std::min(first + step, z.groups), n = (last - first) * z.rows;
        const float* hidden = saved + first * z.rows * ph;
        read_rows(z, input, classes, first, last, x.data());
        clear(d_hidden.data(), n * ph);
        for (int64_t r = 0; r < n; ++r)
            for (int64_t o = 0; o < z.outs; ++o) {
                const float d = *d_output++;
                d_params[3][o] += d;
                for (int64_t i = 0; i < ph; i += LANES) {
                    add_to(d_second.data() + o * ph + i, d * load(hidden + r * ph + i));
                    add_to(d_hidden.data() + r * ph + i, d * load(second.data() + o * ph + i));
                }
            }
        times_slope(d_hidden.data(), hidden, n * ph, z.activation);
        map.add(d_hidden.data(), x.data(), d_x.data(), n);
        copy_rows(d_x.data(), pi, d_input + first * z.rows * z.features, z.features, n, z.features);
    }
    map.write(d_params);
    copy_rows(d_second.data(), ph, d_params[2], z.hidden, z.outs, z.hidden);
}

}  // extern "C"
