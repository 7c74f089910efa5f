// Derivatives of a transformer encoder's layers in one direction.
#pragma once
#include "transformer.h"

namespace {

// Change of a linear map's output: along those of its input, t_x, matrix and bias.
void linear_tangent(const float* w, const float* t_w, const float* t_b, const float* x,
                    const float* t_x, float* t_out, int64_t outs, int64_t ins, int64_t p) {
    multiply<BIAS_OF_ROW>({w, ins}, t_x, p, t_out, p, outs, ins, p, t_b);
    multiply<ADD>({t_w, ins}, x, p, t_out, p, outs, ins, p);
}

// Turn the change of the input of a normalisation into that of its output, in place.
void layer_norm_tangent(float* change, const float* normal, const float* rstd, const float* scale,
                        const float* t_scale, const float* t_shift, int64_t width, int64_t p) {
    for (int64_t i = 0; i < p; i += LANES) {
        Vec mean{}, along{};
        for (int64_t c = 0; c < width; ++c) {
            const Vec t = load(change + c * p + i);
            mean += t, along += t * load(normal + c * p + i);
        }
        mean /= (float)width, along /= (float)width;
        for (int64_t c = 0; c < width; ++c) {
            float* at = change + c * p + i;
            const Vec y = load(normal + c * p + i);
            const Vec t = (load(at) - mean - y * along) * load(rstd + i);
            store(at, t * scale[c] + y * t_scale[c] + t_shift[c]);
        }
    }
}

// Change of the output of one head in one sequence, along those of queries, keys and values.
void attend_tangent(const float* q, const float* k, const float* v, const float* weights,
                    const float* t_q, const float* t_k, const float* t_v, float* t_o,
                    float* t_scores, int64_t d, const Sequence& s, int64_t stride) {
    const int64_t n = s.tokens, p = s.lanes();
    const float scale = 1.0f / std::sqrt((float)d);
    multiply({k, stride, true}, t_q, stride, t_scores, p, n, d, p);
    multiply<ADD>({t_k, stride, true}, q, stride, t_scores, p, n, d, p);
    for (int64_t i = 0; i < p; i += LANES) {
        Vec along{};
        for (int64_t j = i; j < n * p; j += p) along += load(t_scores + j) * load(weights + j);
        for (int64_t j = i; j < n * p; j += p)
            store(t_scores + j, load(weights + j) * (load(t_scores + j) - along) * scale);
    }
    multiply({v, stride}, t_scores, p, t_o, stride, d, n, p);
    multiply<ADD>({t_v, stride}, weights, p, t_o, stride, d, n, p);
}

// Turn the change of a layer's input x into that of its output, in place.
void layer_tangent(const TransformerSizes& z, const Layer& w, const Layer& t_w,
                   const Block& block, const Kept& k, const float* x, float* change,
                   float* scratch) {
    const int64_t d = z.width, m = z.hidden, p = block.lanes, head = z.head();
    float *t = scratch, *inner = t + d * p, *wide = inner + z.inner() * p;
    float *attended = wide + z.inner() * p, *scores = attended + d * p;
    read_qkv(z, w, x, inner, p);
    linear_tangent(w.in_w, t_w.in_w, t_w.in_b, x, change, wide, 3 * d, d, p);
    block.clear_end(attended, d);
    for (const Sequence& s : block.sequences)
        for (int64_t h = 0; h < z.heads; ++h) {
            const int64_t at = h * head * p + s.lane;
            const float *q = inner + at, *t_q = wide + at;
            attend_tangent(q, q + d * p, q + 2 * d * p,
                           k.weights + s.weights + h * s.tokens * s.lanes(), t_q, t_q + d * p,
                           t_q + 2 * d * p, attended + at, scores, head, s, p);
        }
    linear_tangent(w.out_w, t_w.out_w, t_w.out_b, k.o, attended, t, d, d, p);
    add_to(change, t, d * p);
    layer_norm_tangent(change, k.y1, k.rstd1, w.g1, t_w.g1, t_w.c1, d, p);
    scale_and_shift(k.y1, w.g1, w.c1, t, d, p);
    linear_tangent(w.w1, t_w.w1, t_w.b1, t, change, wide, m, d, p);
    read_hidden(z, w, t, inner, p);
    times_slope(wide, inner, m * p, RELU);
    linear_tangent(w.w2, t_w.w2, t_w.b2, inner, wide, t, d, m, p);
    add_to(change, t, d * p);
    layer_norm_tangent(change, k.y2, k.rstd2, w.g2, t_w.g2, t_w.c2, d, p);
}

}  // namespace

extern "C" {

// The change of the output along `t_input` and `t_params`, changes of the input and parameters.
void nip_transformer_tangent(const int64_t* sizes, const float* t_input, const float* pattern,
                             const uint8_t* is_real, const float* const* params,
                             const float* const* t_params, float* saved, float* t_output) {
    const TransformerSizes& z = *reinterpret_cast<const TransformerSizes*>(sizes);
    const int64_t wide = std::max({z.ins, z.outs, z.width}), most = Block::most_lanes(z);
    const int64_t place = 2 + PARTS * z.layers;
    Buffer x(z.width * most), change(z.width * most), outer(wide * most);
    Buffer scratch((2 * z.width + 2 * z.inner()) * most + z.length * padded(z.length));
    clear(t_output, z.batch * z.length * z.outs);
    for (Block block; block.next(z, is_real);) {
        const int64_t p = block.lanes;
        float *features = saved, *first = features + z.ins * p;
        const auto input = [&](int64_t l) {
            return layer_input(z, params, first, l, block, x.data());
        };
        block.gather(t_input, z.ins, outer.data());
        linear_tangent(params[0], t_params[0], t_params[1], features, outer.data(), change.data(),
                       z.width, z.ins, p);
        for (int64_t l = 0; l < z.layers; ++l) {
            const Kept kept(first + z.width * p + l * block.kept(z), z, p);
            layer_tangent(z, layer_at(params, l), layer_at(t_params, l), block, kept, input(l),
                          change.data(), scratch.data());
        }
        linear_tangent(params[place], t_params[place], t_params[place + 1], input(z.layers),
                       change.data(), outer.data(), z.outs, z.width, p);
        block.scatter(outer.data(), z.outs, t_output);
        saved += block.all_kept(z);
    }
}

}  // extern "C"
