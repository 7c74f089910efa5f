// A transformer encoder that normalises after each part, between two linear maps. Tokens are lanes.
#pragma once
#include "products.h"

namespace {

struct TransformerSizes {
    int64_t batch, length, ins, outs, width, hidden, heads, layers;
    int64_t stride;  // From the pattern of a sequence to the next one; 0 if there is one for all.
    int64_t lanes() const { return padded(length); }
    int64_t head() const { return width / heads; }
    // Floats of a sequence and layer in `saved`, of which each lane is a token: input, queries,
    // keys and values, attended, normalised twice with its scale, hidden, weights of attention.
    int64_t kept(int64_t p) const { return (7 * width + hidden + 2 + heads * p) * p; }
    // Floats of a sequence in `saved`: the features, all layers, and what they return.
    int64_t all_kept(int64_t p) const { return (ins + width) * p + layers * kept(p); }
};
// Parameters: matrix and bias of the first map, those of the layers, and those of the last map.
struct Layer {
    const float *in_w, *in_b, *out_w, *out_b, *w1, *b1, *w2, *b2, *g1, *c1, *g2, *c2;
};
constexpr int PARTS = 12;
Layer layer_at(const float* const* p, int64_t l) {
    p += 2 + l * PARTS;
    return {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11]};
}

// Places in `saved` of one sequence with n tokens in p lanes, and one layer.
struct Kept {
    float *x, *qkv, *o, *y1, *rstd1, *h, *y2, *rstd2, *weights;
    Kept(float* at, const TransformerSizes& z, int64_t p) {
        x = at, qkv = x + z.width * p, o = qkv + 3 * z.width * p, y1 = o + z.width * p;
        rstd1 = y1 + z.width * p, h = rstd1 + p, y2 = h + z.hidden * p;
        rstd2 = y2 + z.width * p, weights = rstd2 + p;
    }
};

// Normalise the columns of x; keep the result before scale and shift, and what it was divided by.
void layer_norm(const float* x, float* normal, float* rstd, float* out, const float* scale,
                const float* shift, int64_t width, int64_t p, float eps) {
    for (int64_t i = 0; i < p; i += LANES) {
        Vec mean{}, variance{};
        for (int64_t c = 0; c < width; ++c) mean += load(x + c * p + i);
        mean /= (float)width;
        for (int64_t c = 0; c < width; ++c) {
            const Vec d = load(x + c * p + i) - mean;
            variance += d * d;
        }
        variance = variance / (float)width + eps;
        Vec factor;
        for (int lane = 0; lane < LANES; ++lane) factor[lane] = 1.0f / std::sqrt(variance[lane]);
        store(rstd + i, factor);
        for (int64_t c = 0; c < width; ++c) {
            const Vec y = (load(x + c * p + i) - mean) * factor;
            store(normal + c * p + i, y);
            store(out + c * p + i, y * scale[c] + shift[c]);
        }
    }
}

// Turn the gradient of the result into that of x, in place, and add those of scale and shift.
void layer_norm_backward(float* grad, const float* normal, const float* rstd, const float* scale,
                         float* d_scale, float* d_shift, int64_t width, int64_t p) {
    for (int64_t c = 0; c < width; ++c) {
        Vec product{}, total{};
        for (int64_t i = 0; i < p; i += LANES) {
            const Vec g = load(grad + c * p + i);
            product += g * load(normal + c * p + i), total += g;
        }
        add_to(d_scale + c * LANES, product), add_to(d_shift + c * LANES, total);
    }
    for (int64_t i = 0; i < p; i += LANES) {
        Vec mean{}, along{};
        for (int64_t c = 0; c < width; ++c) {
            const Vec g = load(grad + c * p + i) * scale[c];
            mean += g, along += g * load(normal + c * p + i);
        }
        mean /= (float)width, along /= (float)width;
        for (int64_t c = 0; c < width; ++c) {
            float* at = grad + c * p + i;
            const Vec g = load(at) * scale[c];
            store(at, (g - mean - load(normal + c * p + i) * along) * load(rstd + i));
        }
    }
}

// Attention of one head: lanes are queries. `hidden` is 0 or minus infinity, (key, query).
void attend(const float* q, const float* k, const float* v, const float* hidden, float* weights,
            float* o, int64_t d, int64_t n, int64_t p) {
    const float scale = 1.0f / std::sqrt((float)d);
    multiply({k, p, true}, q, p, weights, p, n, d, p);
    for (int64_t i = 0; i < p; i += LANES) {
        Vec most = Vec{} - FLT_MAX, total{};
        for (int64_t j = i; j < n * p; j += p) {
            const Vec score = load(weights + j) * scale + load(hidden + j);
            store(weights + j, score);
            most = larger(score, most);
        }
        for (int64_t j = i; j < n * p; j += p) {
            const Vec weight = exponential(load(weights + j) - most);
            store(weights + j, weight);
            total += weight;
        }
        total = 1.0f / total;
        for (int64_t j = i; j < n * p; j += p) store(weights + j, load(weights + j) * total);
    }
    multiply({v, p}, weights, p, o, p, d, n, p);
}

// Gradients of queries, keys and values, from that of `o`. `turned` is scratch space.
void attend_backward(const float* q, const float* k, const float* v, const float* weights,
                     const float* o, const float* d_o, float* d_q, float* d_k, float* d_v,
                     float* d_scores, float* turned, int64_t d, int64_t n, int64_t p) {
    const float scale = 1.0f / std::sqrt((float)d);
    turn(weights, p, turned, p, n, p);
    multiply({d_o, p}, turned, p, d_v, p, d, n, p);
    multiply({v, p, true}, d_o, p, d_scores, p, n, d, p);
    for (int64_t i = 0; i < p; i += LANES) {
        Vec along{};
        for (int64_t c = 0; c < d; ++c) along += load(o + c * p + i) * load(d_o + c * p + i);
        for (int64_t j = i; j < n * p; j += p)
            store(d_scores + j, load(weights + j) * (load(d_scores + j) - along) * scale);
    }
    multiply({k, p}, d_scores, p, d_q, p, d, n, p);
    turn(d_scores, p, turned, p, n, p);
    multiply({q, p}, turned, p, d_k, p, d, n, p);
}

// The part of a sequence that lies in its real tokens, lanes by lanes.
struct Sequence {
    std::vector<int64_t> indices;
    Buffer hidden;
    int64_t n = 0, p = 0;
    void read(const TransformerSizes& z, const float* pattern, const uint8_t* is_real, int64_t b) {
        indices.resize(z.length);
        n = real_ones(is_real + b * z.length, z.length, indices.data());
        p = padded(n);
        pattern += b * z.stride;
        hidden.assign(n * p, 0.0f);
        for (int64_t j = 0; j < n; ++j)
            for (int64_t i = 0; i < n; ++i)
                hidden[j * p + i] = pattern[indices[i] * z.length + indices[j]];
    }
    void gather(const TransformerSizes& z, const float* all, int64_t width, int64_t b,
                float* x) const {
        std::memset(x, 0, width * p * sizeof *x);
        for (int64_t i = 0; i < n; ++i) {
            const float* row = all + (b * z.length + indices[i]) * width;
            for (int64_t c = 0; c < width; ++c) x[c * p + i] = row[c];
        }
    }
    void scatter(const TransformerSizes& z, const float* x, int64_t width, int64_t b,
                 float* all) const {
        for (int64_t i = 0; i < n; ++i) {
            float* row = all + (b * z.length + indices[i]) * width;
            for (int64_t c = 0; c < width; ++c) row[c] = x[c * p + i];
        }
    }
};

// One layer on x, which becomes its output.
void layer_forward(const TransformerSizes& z, const Layer& w, const Sequence& s, const Kept& k,
                   float* x, float* t, float eps) {
    const int64_t d = z.width, p = s.p, head = z.head();
    std::memcpy(k.x, x, d * p * sizeof *x);
    multiply<BIAS_OF_ROW>({w.in_w, d}, x, p, k.qkv, p, 3 * d, d, p, w.in_b);
    for (int64_t h = 0; h < z.heads; ++h) {
        const float* q = k.qkv + h * head * p;
        attend(q, q + d * p, q + 2 * d * p, s.hidden.data(), k.weights + h * s.n * p,
               k.o + h * head * p, head, s.n, p);
    }
    multiply<BIAS_OF_ROW>({w.out_w, d}, k.o, p, t, p, d, d, p, w.out_b);
    add_to(x, t, d * p);
    layer_norm(x, k.y1, k.rstd1, x, w.g1, w.c1, d, p, eps);
    multiply<BIAS_OF_ROW>({w.w1, d}, x, p, k.h, p, z.hidden, d, p, w.b1);
    activate(k.h, k.h, z.hidden * p, RELU);
    multiply<BIAS_OF_ROW>({w.w2, z.hidden}, k.h, p, t, p, d, z.hidden, p, w.b2);
    add_to(x, t, d * p);
    layer_norm(x, k.y2, k.rstd2, x, w.g2, w.c2, d, p, eps);
}

// Gradients of a linear map: of its matrix, with padded rows, and of its bias, of which each entry
// is the sum of LANES numbers.
struct MapGradients {
    int64_t outs, ins;
    Buffer w, b;
    MapGradients(int64_t outs_, int64_t ins_)
        : outs(outs_), ins(ins_), w(outs * padded(ins)), b(outs * LANES) {}
    // Add those for one sequence, from the gradient g of the output and the input x. `turned` is
    // scratch space.
    void add(const float* g, const float* x, float* turned, int64_t n, int64_t p) {
        const int64_t row = padded(ins);
        turn(x, p, turned, row, ins, p);
        multiply<ADD>({g, p}, turned, row, w.data(), row, outs, n, row);
        for (int64_t o = 0; o < outs; ++o) {
            Vec total{};
            for (int64_t i = 0; i < p; i += LANES) total += load(g + o * p + i);
            add_to(b.data() + o * LANES, total);
        }
    }
    void write(float* const* to) const {
        copy_rows(w.data(), padded(ins), to[0], ins, outs, ins);
        write_sums(b, to[1]);
    }
    static void write_sums(const Buffer& from, float* to) {
        for (size_t i = 0; i < from.size(); i += LANES) to[i / LANES] = sum(load(&from[i]));
    }
};

// Gradients of one layer's parameters.
struct LayerGradients {
    MapGradients in, out, first, second;
    Buffer g1, c1, g2, c2;
    explicit LayerGradients(const TransformerSizes& z)
        : in(3 * z.width, z.width), out(z.width, z.width), first(z.hidden, z.width),
          second(z.width, z.hidden), g1(z.width * LANES), c1(g1), g2(g1), c2(g1) {}
    void write(float* const* to) const {
        const MapGradients* maps[] = {&in, &out, &first, &second};
        const Buffer* norms[] = {&g1, &c1, &g2, &c2};
        for (int i = 0; i < 4; ++i) {
            maps[i]->write(to + 2 * i);
            MapGradients::write_sums(*norms[i], to[8 + i]);
        }
    }
};

// Turn the gradient of a layer's output into that of its input, in place.
void layer_backward(const TransformerSizes& z, const Layer& w, const Sequence& s, const Kept& k,
                    float* grad, float* scratch, LayerGradients& to) {
    const int64_t d = z.width, m = z.hidden, p = s.p, n = s.n, head = z.head();
    float *t = scratch, *wide = t + d * p, *scores = wide + (3 * d + m) * p;
    float* turned = scores + n * p;
    layer_norm_backward(grad, k.y2, k.rstd2, w.g2, to.g2.data(), to.c2.data(), d, p);
    to.second.add(grad, k.h, turned, n, p);
    multiply({w.w2, m, true}, grad, p, wide, p, m, d, p);
    times_slope(wide, k.h, m * p, RELU);
    for (int64_t c = 0; c < d; ++c)
        for (int64_t i = 0; i < p; i += LANES)
            store(t + c * p + i, load(k.y1 + c * p + i) * w.g1[c] + w.c1[c]);
    to.first.add(wide, t, turned, n, p);
    multiply<ADD>({w.w1, d, true}, wide, p, grad, p, d, m, p);
    layer_norm_backward(grad, k.y1, k.rstd1, w.g1, to.g1.data(), to.c1.data(), d, p);
    to.out.add(grad, k.o, turned, n, p);
    multiply({w.out_w, d, true}, grad, p, t, p, d, d, p);
    for (int64_t h = 0; h < z.heads; ++h) {
        const float* q = k.qkv + h * head * p;
        float* d_q = wide + h * head * p;
        attend_backward(q, q + d * p, q + 2 * d * p, k.weights + h * n * p, k.o + h * head * p,
                        t + h * head * p, d_q, d_q + d * p, d_q + 2 * d * p, scores, turned, head,
                        n, p);
    }
    to.in.add(wide, k.x, turned, n, p);
    multiply<ADD>({w.in_w, d, true}, wide, p, grad, p, d, 3 * d, p);
}

}  // namespace

extern "C" {

int64_t nip_transformer_kept(const int64_t* sizes, const uint8_t* is_real) {
    const TransformerSizes& z = *reinterpret_cast<const TransformerSizes*>(sizes);
    int64_t total = 0;
    for (int64_t b = 0; b < z.batch; ++b) {
        int64_t n = 0;
        for (int64_t i = 0; i < z.length; ++i) n += is_real[b * z.length + i];
        total += z.all_kept(padded(n));
    }
    return total;
}

// `pattern`, (token, token), is 0 where a token, the row, may attend, else minus infinity.
void nip_transformer_forward(const int64_t* sizes, float eps, const float* input,
                             const float* pattern, const uint8_t* is_real,
                             const float* const* params, float* output, float* saved) {
    const TransformerSizes& z = *reinterpret_cast<const TransformerSizes*>(sizes);
    const float* const* last = params + 2 + PARTS * z.layers;
    Sequence sequence;
    Buffer t(std::max(z.width, z.outs) * z.lanes()), space(saved ? 0 : z.all_kept(z.lanes()));
    std::memset(output, 0, z.batch * z.length * z.outs * sizeof *output);
    for (int64_t b = 0; b < z.batch; ++b) {
        sequence.read(z, pattern, is_real, b);
        const int64_t p = sequence.p;
        float *features = saved ? saved : space.data(), *x = features + z.ins * p;
        sequence.gather(z, input, z.ins, b, features);
        multiply<BIAS_OF_ROW>({params[0], z.ins}, features, p, x, p, z.width, z.ins, p, params[1]);
        for (int64_t l = 0; l < z.layers; ++l) {
            const Kept kept(x + z.width * p + (saved ? l * z.kept(p) : 0), z, p);
            layer_forward(z, layer_at(params, l), sequence, kept, x, t.data(), eps);
        }
        multiply<BIAS_OF_ROW>({last[0], z.width}, x, p, t.data(), p, z.outs, z.width, p, last[1]);
        sequence.scatter(z, t.data(), z.outs, b, output);
        if (saved) saved += z.all_kept(p);
    }
}

void nip_transformer_backward(const int64_t* sizes, const float* d_output, const float* pattern,
                              const uint8_t* is_real, const float* const* params, float* saved,
                              float* d_input, float* const* d_params) {
    const TransformerSizes& z = *reinterpret_cast<const TransformerSizes*>(sizes);
    const int64_t wide = std::max({z.ins, z.outs, z.width}), most = z.lanes();
    const float* const* last = params + 2 + PARTS * z.layers;
    Sequence sequence;
    Buffer grad(z.width * most), outer(wide * most);
    const int64_t turned = std::max({padded(z.hidden), padded(wide), most});
    Buffer scratch((4 * z.width + z.hidden + most + turned) * most);
    std::vector<LayerGradients> gradients(z.layers, LayerGradients(z));
    MapGradients of_first(z.width, z.ins), of_last(z.outs, z.width);
    std::memset(d_input, 0, z.batch * z.length * z.ins * sizeof *d_input);
    for (int64_t b = 0; b < z.batch; ++b) {
        sequence.read(z, pattern, is_real, b);
        const int64_t p = sequence.p, n = sequence.n;
        const float *features = saved, *x = features + z.ins * p;
        sequence.gather(z, d_output, z.outs, b, outer.data());
        of_last.add(outer.data(), x, scratch.data(), n, p);
        multiply({last[0], z.width, true}, outer.data(), p, grad.data(), p, z.width, z.outs, p);
        for (int64_t l = z.layers - 1; l >= 0; --l) {
            const Kept kept(saved + (z.ins + z.width) * p + l * z.kept(p), z, p);
            layer_backward(z, layer_at(params, l), sequence, kept, grad.data(), scratch.data(),
                           gradients[l]);
        }
        of_first.add(grad.data(), features, scratch.data(), n, p);
        multiply({params[0], z.ins, true}, grad.data(), p, outer.data(), p, z.ins, z.width, p);
        sequence.scatter(z, outer.data(), z.ins, b, d_input);
        saved += z.all_kept(p);
    }
    of_first.write(d_params);
    for (int64_t l = 0; l < z.layers; ++l) gradients[l].write(d_params + 2 + PARTS * l);
    of_last.write(d_params + 2 + PARTS * z.layers);
}

}  // extern "C"
