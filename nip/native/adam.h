// The norm of gradients, and steps of Adam, on lists of tensors.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace {

// In double precision, where the squares of float32 are exact, and in a fixed order: all machines
// compute the same bits.
double sum_of_squares(const float* x, int64_t size) {
    constexpr int64_t PARTS = 16;
    double parts[PARTS] = {};
    const int64_t even = size / PARTS * PARTS;
    for (int64_t i = 0; i < even; i += PARTS)
        for (int64_t j = 0; j < PARTS; ++j) parts[j] += double(x[i + j]) * double(x[i + j]);
    for (int64_t i = even; i < size; ++i) parts[i - even] += double(x[i]) * double(x[i]);
    double total = 0.0;
    for (double part : parts) total += part;
    return total;
}

// a * b + c, rounded once where the processor can do so.
inline float fused(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

struct AdamOptions {
    double lr, beta1, beta2, eps, weight_decay;
    int64_t is_decoupled, maximizes;
};

// What a step of Adam does to a tensor, with the roundings of PyTorch's fused Adam.
struct AdamUpdate {
    // Compilers have fused one product in PyTorch's loop over vectors of this size, and another one
    // in that over the rest.
    static constexpr int64_t VECTOR = 8;
    float sign, decay, kept, mean_weight, beta2, square_weight, root, eps, rate;
    bool is_near_gradient;
    AdamUpdate(const AdamOptions& o, double step) {
        sign = o.maximizes ? -1.0f : 1.0f;
        decay = o.is_decoupled ? 0.0f : float(o.weight_decay);
        kept = o.is_decoupled ? float(1.0 - o.lr * o.weight_decay) : 1.0f;
        // The mean is interpolated from the nearer of both ends.
        mean_weight = float(1.0 - o.beta1);
        is_near_gradient = !(mean_weight < 0.5f);
        if (is_near_gradient) mean_weight -= 1.0f;
        beta2 = float(o.beta2), square_weight = float(1.0 - o.beta2), eps = float(o.eps);
        root = float(std::sqrt(1.0 - std::pow(o.beta2, step)));
        rate = float(-(o.lr / (1.0 - std::pow(o.beta1, step))));
    }
    template <bool LARGEST, bool REST>
    void apply(float* __restrict p, const float* __restrict g, float* __restrict mean,
               float* __restrict square, float* __restrict largest, int64_t size) const {
        // In a loop of its own, so that no product is fused with what follows.
        if (kept != 1.0f)
            for (int64_t i = 0; i < size; ++i) p[i] *= kept;
        for (int64_t i = 0; i < size; ++i) {
            const float gradient = decay != 0.0f ? fused(p[i], decay, sign * g[i]) : sign * g[i];
            const float from = is_near_gradient ? gradient : mean[i];
            const float m = fused(mean_weight, gradient - mean[i], from);
            const float part = square_weight * gradient;
            const float s = REST ? fused(square[i], beta2, part * gradient)
                                 : fused(part, gradient, square[i] * beta2);
            mean[i] = m, square[i] = s;
            float top = s;
            if (LARGEST) largest[i] = top = largest[i] > s ? largest[i] : s;
            p[i] += rate * m / (std::sqrt(top) / root + eps);
        }
    }
    template <bool LARGEST>
    void apply_all(float* p, const float* g, float* mean, float* square, float* largest,
                   int64_t size) const {
        const int64_t even = size / VECTOR * VECTOR;
        apply<LARGEST, false>(p, g, mean, square, largest, even);
        apply<LARGEST, true>(p + even, g + even, mean + even, square + even,
                             LARGEST ? largest + even : nullptr, size - even);
    }
};

}  // namespace

extern "C" {

// Scale `count` tensors so that their joint norm is at most `limit`, and write the norm before. An
// infinite limit is none. 1 if they have changed.
int nip_clip_norm(int64_t count, const int64_t* sizes, float* const* tensors, double limit,
                  float* norm) {
    double total = 0.0;
    for (int64_t i = 0; i < count; ++i) total += sum_of_squares(tensors[i], sizes[i]);
    *norm = float(std::sqrt(total));
    const float factor = float(limit) / (*norm + 1e-6f);
    // A norm that is NaN makes all entries NaN.
    if (std::isinf(limit) || factor >= 1.0f) return 0;
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < sizes[i]; ++j) tensors[i][j] *= factor;
    return 1;
}

// Take a step of Adam with each tensor, unless `skip` is there and 1. `largest` are the squares of
// AMSGrad, or null.
void nip_adam(int64_t count, const int64_t* sizes, const AdamOptions* options, const float* steps,
              const float* skip, float* const* params, const float* const* gradients,
              float* const* means, float* const* squares, float* const* largest) {
    if (skip && *skip == 1.0f) return;
    AdamUpdate update(*options, steps[0]);
    for (int64_t i = 0; i < count; ++i) {
        if (i > 0 && steps[i] != steps[i - 1]) update = AdamUpdate(*options, steps[i]);
        float *p = params[i], *mean = means[i], *square = squares[i];
        if (largest)
            update.apply_all<true>(p, gradients[i], mean, square, largest[i], sizes[i]);
        else
            update.apply_all<false>(p, gradients[i], mean, square, nullptr, sizes[i]);
    }
}

}  // extern "C"
