// Layers of a graph isomorphism network: activation, sum over neighbours, perceptron.
#pragma once
#include "products.h"

namespace {

struct GinSizes {
    int64_t graphs, nodes, streams, width, hidden, layers, activation;
    int64_t pw() const { return padded(width); }
    int64_t ph() const { return padded(hidden); }
    int64_t kept() const { return 2 * pw() + ph(); }  // Floats of a row and layer in `saved`.
};

// The rows of one graph: each real node once for each stream.
struct Graph {
    std::vector<int64_t> indices;
    Buffer edges;
    int64_t n = 0;
    void read(const GinSizes& z, const float* neighbours, const uint8_t* mask, int64_t g) {
        indices.resize(z.nodes);
        n = real_ones(mask + g * z.nodes, z.nodes, indices.data());
        edges.resize(n * n);
        const float* from = neighbours + g * z.nodes * z.nodes;
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j)
                edges[i * n + j] = from[indices[i] * z.nodes + indices[j]];
    }
    // Copy rows between the padded layout of all graphs and the layout of this one.
    template <bool OUT, class Float>
    void move(const GinSizes& z, Float* all, int64_t g, float* rows) const {
        for (int64_t i = 0; i < n; ++i)
            for (int64_t s = 0; s < z.streams; ++s) {
                auto* place = all + ((g * z.nodes + indices[i]) * z.streams + s) * z.width;
                float* row = rows + (i * z.streams + s) * z.pw();
                if constexpr (OUT) std::memcpy(place, row, z.width * sizeof(float));
                else std::memcpy(row, place, z.width * sizeof(float));
            }
    }
};

// Weights of one layer for products from the right: matrices turned, columns padded.
struct GinWeights {
    Buffer w1, b1, w2, b2;
    void read(const GinSizes& z, const float* const* params, int64_t layer) {
        const float* const* p = params + 4 * layer;
        const int64_t pw = z.pw(), ph = z.ph();
        w1.resize(z.width * ph), b1.resize(ph), w2.resize(z.hidden * pw), b2.resize(pw);
        transpose(p[0], z.width, w1.data(), ph, z.hidden, z.width);
        transpose(p[2], z.hidden, w2.data(), pw, z.width, z.hidden);
        std::memcpy(b1.data(), p[1], z.hidden * sizeof(float));
        std::memcpy(b2.data(), p[3], z.width * sizeof(float));
    }
};

}  // namespace

extern "C" {


int64_t nip_gin_kept(const int64_t* sizes, const uint8_t* mask) {
    const GinSizes& z = *reinterpret_cast<const GinSizes*>(sizes);
    int64_t real = 0;
    for (int64_t i = 0; i < z.graphs * z.nodes; ++i) real += mask[i];
    return real * z.streams * z.layers * z.kept();
}

// `saved` is null if there will be no backward pass. Parameters of each layer: w1, b1, w2, b2.
void nip_gin_forward(const int64_t* sizes, const float* input, const float* neighbours,
                     const uint8_t* mask, const float* const* params, float* output,
                     float* saved) {
    const GinSizes& z = *reinterpret_cast<const GinSizes*>(sizes);
    const int64_t pw = z.pw(), ph = z.ph(), rows = z.nodes * z.streams;
    std::vector<GinWeights> w(z.layers);
    for (int64_t l = 0; l < z.layers; ++l) w[l].read(z, params, l);
    Graph graph;
    Buffer x(rows * pw), space(saved ? 0 : rows * z.kept());
    std::memset(output, 0, z.graphs * rows * z.width * sizeof *output);
    for (int64_t g = 0; g < z.graphs; ++g) {
        graph.read(z, neighbours, mask, g);
        const int64_t n = graph.n, r = n * z.streams;
        graph.move<false>(z, input, g, x.data());
        for (int64_t l = 0; l < z.layers; ++l) {
            float* a = saved ? saved : space.data();
            float *s = a + r * pw, *t = s + r * pw;
            activate(x.data(), a, r * pw, z.activation);
            multiply({graph.edges.data(), n}, a, z.streams * pw, s, z.streams * pw, n, n,
                     z.streams * pw);
            multiply<BIAS_OF_COLUMN>({s, pw}, w[l].w1.data(), ph, t, ph, r, z.width, ph,
                     w[l].b1.data());
            activate(t, t, r * ph, z.activation);
            multiply<BIAS_OF_COLUMN>({t, ph}, w[l].w2.data(), pw, x.data(), pw, r, z.hidden, pw,
                                     w[l].b2.data());
            if (saved) saved += r * z.kept();
        }
        graph.move<true>(z, output, g, x.data());
    }
}

void nip_gin_backward(const int64_t* sizes, const float* d_output, const float* neighbours,
                      const uint8_t* mask, const float* const* params, const float* saved,
                      float* d_input, float* const* d_params) {
    const GinSizes& z = *reinterpret_cast<const GinSizes*>(sizes);
    const int64_t pw = z.pw(), ph = z.ph(), rows = z.nodes * z.streams;
    std::vector<Buffer> w1(z.layers), w2(z.layers), d_w1(z.layers), d_w2(z.layers);
    std::vector<Buffer> d_b1(z.layers, Buffer(ph)), d_b2(z.layers, Buffer(pw));
    for (int64_t l = 0; l < z.layers; ++l) {
        w1[l].resize(z.hidden * pw), w2[l].resize(z.width * ph);
        copy_rows(params[4 * l], z.width, w1[l].data(), pw, z.hidden, z.width);
        copy_rows(params[4 * l + 2], z.hidden, w2[l].data(), ph, z.width, z.hidden);
        d_w1[l].resize(z.hidden * pw), d_w2[l].resize(z.width * ph);
    }
    Graph graph;
    Buffer x(rows * pw), d_s(rows * pw), d_t(rows * ph);
    std::memset(d_input, 0, z.graphs * rows * z.width * sizeof *d_input);
    for (int64_t g = 0; g < z.graphs; ++g) {
        graph.read(z, neighbours, mask, g);
        const int64_t n = graph.n, r = n * z.streams, wide = z.streams * pw;
        graph.move<false>(z, d_output, g, x.data());
        for (int64_t l = z.layers - 1; l >= 0; --l) {
            const float *a = saved + l * r * z.kept(), *s = a + r * pw, *t = s + r * pw;
            multiply<ADD>({x.data(), pw, true}, t, ph, d_w2[l].data(), ph, z.width, r, ph);
            for (int64_t i = 0; i < r; ++i) add_to(d_b2[l].data(), x.data() + i * pw, pw);
            multiply({x.data(), pw}, w2[l].data(), ph, d_t.data(), ph, r, z.width, ph);
            times_slope(d_t.data(), t, r * ph, z.activation);
            multiply<ADD>({d_t.data(), ph, true}, s, pw, d_w1[l].data(), pw, z.hidden, r, pw);
            for (int64_t i = 0; i < r; ++i) add_to(d_b1[l].data(), d_t.data() + i * ph, ph);
            multiply({d_t.data(), ph}, w1[l].data(), pw, d_s.data(), pw, r, z.hidden, pw);
            multiply({graph.edges.data(), n, true}, d_s.data(), wide, x.data(), wide, n, n, wide);
            times_slope(x.data(), a, r * pw, z.activation);
        }
        graph.move<true>(z, d_input, g, x.data());
        saved += z.layers * r * z.kept();
    }
    for (int64_t l = 0; l < z.layers; ++l) {
        float* const* p = d_params + 4 * l;
        copy_rows(d_w1[l].data(), pw, p[0], z.width, z.hidden, z.width);
        copy_rows(d_w2[l].data(), ph, p[2], z.hidden, z.width, z.hidden);
        std::memcpy(p[1], d_b1[l].data(), z.hidden * sizeof(float));
        std::memcpy(p[3], d_b2[l].data(), z.width * sizeof(float));
    }
}

// The change of the output along `t_input` and `t_params`, changes of the input and parameters.
void nip_gin_tangent(const int64_t* sizes, const float* t_input, const float* neighbours,
                     const uint8_t* mask, const float* const* params, const float* const* t_params,
                     const float* saved, float* t_output) {
    const GinSizes& z = *reinterpret_cast<const GinSizes*>(sizes);
    const int64_t pw = z.pw(), ph = z.ph(), rows = z.nodes * z.streams;
    std::vector<GinWeights> w(z.layers), t_w(z.layers);
    for (int64_t l = 0; l < z.layers; ++l) w[l].read(z, params, l), t_w[l].read(z, t_params, l);
    Graph graph;
    Buffer x(rows * pw), sums(rows * pw), hidden(rows * ph);
    std::memset(t_output, 0, z.graphs * rows * z.width * sizeof *t_output);
    for (int64_t g = 0; g < z.graphs; ++g) {
        graph.read(z, neighbours, mask, g);
        const int64_t n = graph.n, r = n * z.streams, wide = z.streams * pw;
        graph.move<false>(z, t_input, g, x.data());
        for (int64_t l = 0; l < z.layers; ++l) {
            const float *a = saved, *s = a + r * pw, *t = s + r * pw;
            times_slope(x.data(), a, r * pw, z.activation);
            multiply({graph.edges.data(), n}, x.data(), wide, sums.data(), wide, n, n, wide);
            multiply<BIAS_OF_COLUMN>({sums.data(), pw}, w[l].w1.data(), ph, hidden.data(), ph, r,
                                     z.width, ph, t_w[l].b1.data());
            multiply<ADD>({s, pw}, t_w[l].w1.data(), ph, hidden.data(), ph, r, z.width, ph);
            times_slope(hidden.data(), t, r * ph, z.activation);
            multiply<BIAS_OF_COLUMN>({hidden.data(), ph}, w[l].w2.data(), pw, x.data(), pw, r,
                                     z.hidden, pw, t_w[l].b2.data());
            multiply<ADD>({t, ph}, t_w[l].w2.data(), pw, x.data(), pw, r, z.hidden, pw);
            saved += r * z.kept();
        }
        graph.move<true>(z, t_output, g, x.data());
    }
}

}  // extern "C"
