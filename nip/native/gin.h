// A graph isomorphism network: a linear map, then layers of activation, sum over neighbours, and
// perceptron. There is a row for each real node of a graph and each stream.
#pragma once
#include "row_maps.h"

namespace {

struct GinSizes {
    // `given` streams have features, all others see zeros.
    int64_t graphs, nodes, features, given, streams, width, hidden, layers, activation;
    int64_t pf() const { return padded(features); }
    int64_t pw() const { return padded(width); }
    int64_t ph() const { return padded(hidden); }
    // Floats of a row in `saved`: of each layer, activated twice, and of all with the features.
    int64_t kept() const { return pw() + ph(); }
    int64_t all_kept() const { return pf() + layers * kept(); }
};
// Parameters: matrix and bias of the first map, then w1, b1, w2, b2 of each layer.
constexpr int GIN_PARTS = 4;

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
    // The sum of each row over the neighbours of its node, in `width` floats of each node.
    void sum(const float* rows, float* sums, int64_t width) const {
        multiply({edges.data(), n}, rows, width, sums, width, n, n, width);
    }
    // Copy rows between the padded layout of all graphs and the layout of this one.
    template <bool OUT, class Float>
    void move(const GinSizes& z, Float* all, int64_t g, float* rows, int64_t streams,
              int64_t width) const {
        for (int64_t i = 0; i < n; ++i)
            for (int64_t s = 0; s < streams; ++s) {
                auto* place = all + ((g * z.nodes + indices[i]) * streams + s) * width;
                float* row = rows + (i * z.streams + s) * padded(width);
                if constexpr (OUT) std::memcpy(place, row, width * sizeof(float));
                else std::memcpy(row, place, width * sizeof(float));
            }
    }
    // The features of all rows.
    void read_features(const GinSizes& z, const float* all, int64_t g, float* rows) const {
        clear(rows, n * z.streams * z.pf());
        move<false>(z, all, g, rows, z.given, z.features);
    }
};

// All parameters.
struct GinWeights {
    RowMap in;
    std::vector<RowMap> first, second;
    GinWeights(const GinSizes& z, const float* const* p) : first(z.layers), second(z.layers) {
        in.read(p, z.width, z.features);
        for (int64_t l = 0; l < z.layers; ++l) {
            first[l].read(p + 2 + GIN_PARTS * l, z.hidden, z.width);
            second[l].read(p + 4 + GIN_PARTS * l, z.width, z.hidden);
        }
    }
};

}  // namespace

extern "C" {

int64_t nip_gin_kept(const int64_t* sizes, const uint8_t* mask) {
    const GinSizes& z = *reinterpret_cast<const GinSizes*>(sizes);
    int64_t real = 0;
    for (int64_t i = 0; i < z.graphs * z.nodes; ++i) real += mask[i];
    return real * z.streams * z.all_kept();
}

// `saved` is null if there will be no backward pass.
void nip_gin_forward(const int64_t* sizes, const float* input, const float* neighbours,
                     const uint8_t* mask, const float* const* params, float* output,
                     float* saved) {
    const GinSizes& z = *reinterpret_cast<const GinSizes*>(sizes);
    const int64_t pw = z.pw(), ph = z.ph(), rows = z.nodes * z.streams, wide = z.streams * pw;
    const GinWeights w(z, params);
    Graph graph;
    Buffer x(rows * pw), sums(rows * pw), space(saved ? 0 : rows * (z.pf() + z.kept()));
    clear(output, z.graphs * rows * z.width);
    for (int64_t g = 0; g < z.graphs; ++g) {
        graph.read(z, neighbours, mask, g);
        const int64_t n = graph.n, r = n * z.streams;
        float *features = saved ? saved : space.data(), *a = features + r * z.pf();
        graph.read_features(z, input, g, features);
        apply(w.in, features, z.features, x.data(), z.width, r);
        for (int64_t l = 0; l < z.layers; ++l) {
            float* t = a + r * pw;
            activate(x.data(), a, r * pw, z.activation);
            graph.sum(a, sums.data(), wide);
            apply(w.first[l], sums.data(), z.width, t, z.hidden, r);
            activate(t, t, r * ph, z.activation);
            apply(w.second[l], t, z.hidden, x.data(), z.width, r);
            if (saved) a += r * z.kept();
        }
        if (saved) saved = a;
        graph.move<true>(z, output, g, x.data(), z.streams, z.width);
    }
}

void nip_gin_backward(const int64_t* sizes, const float* d_output, const float* neighbours,
                      const uint8_t* mask, const float* const* params, const float* saved,
                      float* d_input, float* const* d_params) {
    const GinSizes& z = *reinterpret_cast<const GinSizes*>(sizes);
    const int64_t pw = z.pw(), ph = z.ph(), rows = z.nodes * z.streams, wide = z.streams * pw;
    RowMapGradients in(params[0], z.width, z.features);
    std::vector<RowMapGradients> first, second;
    for (int64_t l = 0; l < z.layers; ++l) {
        first.emplace_back(params[2 + GIN_PARTS * l], z.hidden, z.width);
        second.emplace_back(params[4 + GIN_PARTS * l], z.width, z.hidden);
    }
    Graph graph;
    Buffer x(rows * pw), sums(rows * pw), d_s(rows * pw), d_t(rows * ph), d_features(rows * z.pf());
    clear(d_input, z.graphs * z.nodes * z.given * z.features);
    for (int64_t g = 0; g < z.graphs; ++g) {
        graph.read(z, neighbours, mask, g);
        const int64_t n = graph.n, r = n * z.streams;
        graph.move<false>(z, d_output, g, x.data(), z.streams, z.width);
        const float* layers = saved + r * z.pf();
        for (int64_t l = z.layers - 1; l >= 0; --l) {
            const float *a = layers + l * r * z.kept(), *t = a + r * pw;
            second[l].add(x.data(), t, d_t.data(), r);
            times_slope(d_t.data(), t, r * ph, z.activation);
            graph.sum(a, sums.data(), wide);
            first[l].add(d_t.data(), sums.data(), d_s.data(), r);
            multiply({graph.edges.data(), n, true}, d_s.data(), wide, x.data(), wide, n, n, wide);
            times_slope(x.data(), a, r * pw, z.activation);
        }
        in.add(x.data(), saved, d_features.data(), r);
        graph.move<true>(z, d_input, g, d_features.data(), z.given, z.features);
        saved += r * z.all_kept();
    }
    in.write(d_params);
    for (int64_t l = 0; l < z.layers; ++l) {
        first[l].write(d_params + 2 + GIN_PARTS * l);
        second[l].write(d_params + 4 + GIN_PARTS * l);
    }
}

// The change of the output along `t_input` and `t_params`, changes of the input and parameters.
void nip_gin_tangent(const int64_t* sizes, const float* t_input, const float* neighbours,
                     const uint8_t* mask, const float* const* params, const float* const* t_params,
                     const float* saved, float* t_output) {
    const GinSizes& z = *reinterpret_cast<const GinSizes*>(sizes);
    const int64_t pw = z.pw(), ph = z.ph(), rows = z.nodes * z.streams, wide = z.streams * pw;
    const GinWeights w(z, params), t_w(z, t_params);
    Graph graph;
    Buffer x(rows * pw), sums(rows * pw), t_sums(rows * pw), hidden(rows * ph);
    Buffer features(rows * z.pf());
    clear(t_output, z.graphs * rows * z.width);
    for (int64_t g = 0; g < z.graphs; ++g) {
        graph.read(z, neighbours, mask, g);
        const int64_t n = graph.n, r = n * z.streams;
        graph.read_features(z, t_input, g, features.data());
        apply_tangent(w.in, t_w.in, saved, features.data(), z.features, x.data(), z.width, r);
        saved += r * z.pf();
        for (int64_t l = 0; l < z.layers; ++l) {
            const float *a = saved, *t = a + r * pw;
            times_slope(x.data(), a, r * pw, z.activation);
            graph.sum(a, sums.data(), wide);
            graph.sum(x.data(), t_sums.data(), wide);
            apply_tangent(w.first[l], t_w.first[l], sums.data(), t_sums.data(), z.width,
                          hidden.data(), z.hidden, r);
            times_slope(hidden.data(), t, r * ph, z.activation);
            apply_tangent(w.second[l], t_w.second[l], t, hidden.data(), z.hidden, x.data(),
                          z.width, r);
            saved += r * z.kept();
        }
        graph.move<true>(z, t_output, g, x.data(), z.streams, z.width);
    }
}

}  // extern "C"
