// Tokens of pairs of graphs: each graph pooled, normalised over the batch and compared to the other
// one, then all nodes, each with further features behind.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

enum Comparison { NOT_COMPARED, LINEAR, LOGARITHMIC };

struct PoolingSizes {
    int64_t pairs, nodes, width, extras, comparison;
    int64_t tokens() const { return 2 + 2 * nodes; }
    int64_t all() const { return width + extras; }
};

// Constants of the pooling.
struct PoolingScales {
    // Features of at most this variance are constant, and not scaled.
    float eps;
    // On a logarithmic scale a difference is log(difference + offset) / divisor.
    float offset, divisor;
};

inline float difference(float one, float other, const PoolingSizes& z, const PoolingScales& k) {
    const float half = 0.5f * std::fabs(one - other);
    return z.comparison == LOGARITHMIC ? std::log(half + k.offset) / k.divisor : half;
}

// The gradient of the difference in the first graph; minus that in the other one.
inline float d_difference(float one, float other, const PoolingSizes& z, const PoolingScales& k) {
    const float apart = one - other;
    const float half = apart > 0 ? 0.5f : apart < 0 ? -0.5f : 0.0f;
    if (z.comparison != LOGARITHMIC) return half;
    return half / ((0.5f * std::fabs(apart) + k.offset) * k.divisor);
}

}  // namespace

extern "C" {

// `normalized` has a row for each graph; mean and variance are those of the sums over nodes.
void nip_pooling_forward(const int64_t* sizes, const float* scales, const float* nodes,
                         const float* extras, const float* weight, const float* bias, float* tokens,
                         float* normalized, float* mean, float* variance) {
    const PoolingSizes& z = *reinterpret_cast<const PoolingSizes*>(sizes);
    const PoolingScales& k = *reinterpret_cast<const PoolingScales*>(scales);
    const int64_t w = z.width, graphs = 2 * z.pairs;
    for (int64_t t = 0; t < z.pairs * z.tokens(); ++t)
        std::copy_n(extras + t * z.extras, z.extras, tokens + t * z.all() + w);
    std::fill_n(mean, w, 0.0f), std::fill_n(variance, w, 0.0f);
    for (int64_t g = 0; g < graphs; ++g) {
        float* sums = normalized + g * w;
        float* token = tokens + ((g / 2) * z.tokens() + 2 + (g % 2) * z.nodes) * z.all();
        std::fill_n(sums, w, 0.0f);
        for (int64_t n = 0; n < z.nodes; ++n, nodes += w, token += z.all())
            for (int64_t i = 0; i < w; ++i) sums[i] += token[i] = nodes[i];
        for (int64_t i = 0; i < w; ++i) mean[i] += sums[i];
    }
    for (int64_t i = 0; i < w; ++i) mean[i] /= graphs;
    for (int64_t g = 0; g < graphs; ++g)
        for (int64_t i = 0; i < w; ++i) {
            const float centred = normalized[g * w + i] -= mean[i];
            variance[i] += centred * centred;
        }
    std::vector<float> scale(w);
    for (int64_t i = 0; i < w; ++i) {
        variance[i] /= graphs;
        scale[i] = variance[i] <= k.eps ? 1.0f : 1.0f / std::sqrt(variance[i] + k.eps);
    }
    for (int64_t p = 0; p < z.pairs; ++p) {
        float *first = normalized + 2 * p * w, *second = first + w;
        float *one = tokens + p * z.tokens() * z.all(), *other = one + z.all();
        for (int64_t i = 0; i < w; ++i) {
            first[i] *= scale[i], second[i] *= scale[i];
            const float a = first[i] * weight[i] + bias[i], b = second[i] * weight[i] + bias[i];
            one[i] = z.comparison ? 0.5f * (a + b) : a;
            other[i] = z.comparison ? difference(a, b, z, k) : b;
        }
    }
}

void nip_pooling_backward(const int64_t* sizes, const float* scales, const float* d_tokens,
                          const float* weight, const float* bias, const float* normalized,
                          const float* variance, float* d_nodes, float* d_weight, float* d_bias) {
    const PoolingSizes& z = *reinterpret_cast<const PoolingSizes*>(sizes);
    const PoolingScales& k = *reinterpret_cast<const PoolingScales*>(scales);
    const int64_t w = z.width, graphs = 2 * z.pairs;
    std::vector<float> d_pooled(graphs * w), scale(w), mean(w), along(w);
    std::fill_n(d_weight, w, 0.0f), std::fill_n(d_bias, w, 0.0f);
    for (int64_t p = 0; p < z.pairs; ++p) {
        const float *first = normalized + 2 * p * w, *second = first + w;
        const float *d_one = d_tokens + p * z.tokens() * z.all(), *d_other = d_one + z.all();
        float *d_first = d_pooled.data() + 2 * p * w, *d_second = d_first + w;
        for (int64_t i = 0; i < w; ++i) {
            d_first[i] = d_one[i], d_second[i] = d_other[i];
            if (z.comparison) {
                const float a = first[i] * weight[i] + bias[i], b = second[i] * weight[i] + bias[i];
                const float apart = d_other[i] * d_difference(a, b, z, k), joint = 0.5f * d_one[i];
                d_first[i] = joint + apart, d_second[i] = joint - apart;
            }
            d_bias[i] += d_first[i] + d_second[i];
            d_weight[i] += d_first[i] * first[i] + d_second[i] * second[i];
        }
    }
    for (int64_t i = 0; i < w; ++i) {
        const bool is_constant = variance[i] <= k.eps;
        scale[i] = weight[i] * (is_constant ? 1.0f : 1.0f / std::sqrt(variance[i] + k.eps));
        mean[i] = d_bias[i] / graphs;
        along[i] = is_constant ? 0.0f : d_weight[i] / graphs;
    }
    for (int64_t g = 0; g < graphs; ++g) {
        float* d_sums = d_pooled.data() + g * w;
        for (int64_t i = 0; i < w; ++i)
            d_sums[i] = scale[i] * (d_sums[i] - mean[i] - normalized[g * w + i] * along[i]);
        const float* d_token = d_tokens + ((g / 2) * z.tokens() + 2 + (g % 2) * z.nodes) * z.all();
        for (int64_t n = 0; n < z.nodes; ++n, d_nodes += w, d_token += z.all())
            for (int64_t i = 0; i < w; ++i) d_nodes[i] = d_token[i] + d_sums[i];
    }
}

}  // extern "C"
