// A transformer encoder that normalises after each part, between two linear maps. Tokens are lanes.
//
// Sequences lie beside each other, so that few lanes are empty. Attention has each by itself: it
// also computes the first lanes of the next sequence, which that one overwrites.
#pragma once
#include "products.h"

namespace {

struct TransformerSizes {
    int64_t batch, length, ins, outs, width, hidden, heads, layers;
    int64_t stride;  // From the pattern of a sequence to the next one; 0 if there is one for all.
    int64_t head() const { return width / heads; }
    int64_t inner() const { return std::max(3 * width, hidden); }
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

// Real tokens of one sequence, its first lane, and where its part of a pattern or weights begins.
struct Sequence {
    int64_t tokens, lane, hidden, weights;
    int64_t lanes() const { return padded(tokens); }
};

// Some sequences, each in its real tokens.
struct Block {
    static constexpr int64_t TOKENS = 128;  // So many, or a few more.
    std::vector<Sequence> sequences;
    std::vector<int64_t> places;  // Of the tokens among all tokens of the batch.
    Buffer hidden;                // 0 or minus infinity, (key, query), of each sequence.
    int64_t tokens, lanes, weights, end = 0;

    static int64_t most_lanes(const TransformerSizes& z) {
        return padded(TOKENS + z.length + LANES) + LANES;
    }
    // Take the next sequences; return whether there are any.
    bool next(const TransformerSizes& z, const uint8_t* is_real) {
        int64_t b = end, masks = 0;
        if (b == z.batch) return false;
        sequences.clear(), places.resize(TOKENS + z.length);
        tokens = lanes = weights = 0;
        for (; b < z.batch && tokens < TOKENS; ++b) {
            int64_t* found = places.data() + tokens;
            const int64_t n = real_ones(is_real + b * z.length, z.length, found);
            for (int64_t i = 0; i < n; ++i) found[i] += b * z.length;
            const Sequence one{n, tokens, masks, weights};
            sequences.push_back(one);
            masks += n * one.lanes(), weights += z.heads * n * one.lanes(), tokens += n;
            lanes = std::max(lanes, one.lane + one.lanes());
        }
        lanes = padded(lanes), end = b;
        hidden.resize(masks);
        return true;
    }
    void read(const TransformerSizes& z, const float* pattern) {
        for (const Sequence& s : sequences) {
            const int64_t n = s.tokens, p = s.lanes();
            const int64_t* place = places.data() + s.lane;
            const int64_t b = n > 0 ? place[0] / z.length : 0, first = b * z.length;
            for (int64_t j = 0; j < n; ++j) {
                float* row = hidden.data() + s.hidden + j * p;
                const float* from = pattern + b * z.stride + place[j] - first;
                for (int64_t i = 0; i < n; ++i) row[i] = from[(place[i] - first) * z.length];
                for (int64_t i = n; i < p; ++i) row[i] = 0.0f;
            }
        }
    }
    void gather(const float* all, int64_t width, float* x) const {
        clear(x, width * lanes);
        for (int64_t i = 0; i < tokens; ++i)
            for (int64_t c = 0; c < width; ++c) x[c * lanes + i] = all[places[i] * width + c];
    }
    void scatter(const float* x, int64_t width, float* all) const {
        for (int64_t i = 0; i < tokens; ++i)
            for (int64_t c = 0; c < width; ++c) all[places[i] * width + c] = x[c * lanes + i];
    }
    // Set the last lanes of rows to zero, which attention does not write.
    void clear_end(float* rows, int64_t count) const {
        if (lanes == 0) return;
        for (int64_t r = 1; r <= count; ++r) store(rows + r * lanes - LANES, Vec{});
    }
    // Floats of a layer in `saved`: attended, normalised twice with its scale, and weights of
    // attention.
    // Queries, keys, values and the hidden layer are computed again, which takes less time.
    int64_t kept(const TransformerSizes& z) const {
        return (3 * z.width + 2) * lanes + weights;
    }
    // Floats in `saved`: the features, the input of the first layer, and all layers.
    int64_t all_kept(const TransformerSizes& z) const {
        return (z.ins + z.width) * lanes + z.layers * kept(z);
    }
};

// Places in `saved` of one block and layer.
struct Kept {
    float *o, *y1, *rstd1, *y2, *rstd2, *weights;
    Kept(float* at, const TransformerSizes& z, int64_t p) {
        o = at, y1 = o + z.width * p, rstd1 = y1 + z.width * p, y2 = rstd1 + p;
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

// What was normalised, times a scale, plus a shift.
void scale_and_shift(const float* normal, const float* scale, const float* shift, float* out,
                     int64_t width, int64_t p) {
    for (int64_t c = 0; c < width; ++c)
        for (int64_t i = c * p; i < (c + 1) * p; i += LANES)
            store(out + i, load(normal + i) * scale[c] + shift[c]);
}

// Attention of one head in one sequence: lanes are queries. `scores` is scratch space.
NOT_INLINED void attend(const float* q, const float* k, const float* v, const float* hidden,
                        float* weights, float* o, int64_t d, const Sequence& s, int64_t stride) {
    const int64_t n = s.tokens, p = s.lanes();
    const float scale = 1.0f / std::sqrt((float)d);
    multiply({k, stride, true}, q, stride, weights, p, n, d, p);
    for (int64_t i = 0; i < p; i += LANES) {
        Vec most = Vec{} - FLT_MAX, total{};
        for (int64_t j = i; j < n * p; j += p) {
            const Vec score = load(weights + j) * scale + load(hidden + j);
            store(weights + j, score);
            most = larger(score, most);
        }
        for (int64_t j = i; j < n * p; j += p) {
            const Vec weight = small_exponential(load(weights + j) - most);
            store(weights + j, weight);
            total += weight;
        }
        total = 1.0f / total;
        for (int64_t j = i; j < n * p; j += p) store(weights + j, load(weights + j) * total);
    }
    multiply({v, stride}, weights, p, o, stride, d, n, p);
}

// Gradients of queries, keys and values, from that of `o`. `scratch` has two squares.
NOT_INLINED void attend_backward(const float* q, const float* k, const float* v,
                                 const float* weights, const float* o, const float* d_o, float* d_q,
                                 float* d_k, float* d_v, float* scratch, int64_t d,
                                 const Sequence& s, int64_t stride) {
    const int64_t n = s.tokens, p = s.lanes();
    const float scale = 1.0f / std::sqrt((float)d);
    float *d_scores = scratch, *turned = scratch + n * p;
    turn(weights, p, turned, p, n, p);
    multiply({d_o, stride}, turned, p, d_v, stride, d, n, p);
    multiply({v, stride, true}, d_o, stride, d_scores, p, n, d, p);
    for (int64_t i = 0; i < p; i += LANES) {
        Vec along{};
        for (int64_t c = 0; c < d; ++c)
            along += load(o + c * stride + i) * load(d_o + c * stride + i);
        for (int64_t j = i; j < n * p; j += p)
            store(d_scores + j, load(weights + j) * (load(d_scores + j) - along) * scale);
    }
    multiply({k, stride}, d_scores, p, d_q, stride, d, n, p);
    turn(d_scores, p, turned, p, n, p);
    multiply({q, stride}, turned, p, d_k, stride, d, n, p);
}

// Queries, keys and values, from the input of a layer.
void read_qkv(const TransformerSizes& z, const Layer& w, const float* x, float* qkv, int64_t p) {
    multiply<BIAS_OF_ROW>({w.in_w, z.width}, x, p, qkv, p, 3 * z.width, z.width, p, w.in_b);
}
// The hidden layer, from what was normalised first.
void read_hidden(const TransformerSizes& z, const Layer& w, const float* x, float* h, int64_t p) {
    multiply<BIAS_OF_ROW>({w.w1, z.width}, x, p, h, p, z.hidden, z.width, p, w.b1);
    activate(h, h, z.hidden * p, RELU);
}

// One layer on x, which becomes its output.
void layer_forward(const TransformerSizes& z, const Layer& w, const Block& block, const Kept& k,
                   float* x, float* scratch, float eps) {
    const int64_t d = z.width, p = block.lanes, head = z.head();
    float *t = scratch, *inner = t + d * p;
    read_qkv(z, w, x, inner, p);
    block.clear_end(k.o, d);
    for (const Sequence& s : block.sequences)
        for (int64_t h = 0; h < z.heads; ++h) {
            const float* q = inner + h * head * p + s.lane;
            attend(q, q + d * p, q + 2 * d * p, block.hidden.data() + s.hidden,
                   k.weights + s.weights + h * s.tokens * s.lanes(), k.o + h * head * p + s.lane,
                   head, s, p);
        }
    multiply<BIAS_OF_ROW>({w.out_w, d}, k.o, p, t, p, d, d, p, w.out_b);
    add_to(x, t, d * p);
    layer_norm(x, k.y1, k.rstd1, x, w.g1, w.c1, d, p, eps);
    read_hidden(z, w, x, inner, p);
    multiply<BIAS_OF_ROW>({w.w2, z.hidden}, inner, p, t, p, d, z.hidden, p, w.b2);
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

// Turn the gradient of a layer's output into that of its input x, in place.
void layer_backward(const TransformerSizes& z, const Layer& w, const Block& block, const Kept& k,
                    const float* x, float* grad, float* scratch, LayerGradients& to) {
    const int64_t d = z.width, m = z.hidden, p = block.lanes, n = block.tokens, head = z.head();
    const int64_t rows = z.inner();
    float *t = scratch, *inner = t + d * p, *wide = inner + rows * p, *turned = wide + rows * p;
    layer_norm_backward(grad, k.y2, k.rstd2, w.g2, to.g2.data(), to.c2.data(), d, p);
    scale_and_shift(k.y1, w.g1, w.c1, t, d, p);
    read_hidden(z, w, t, inner, p);
    to.second.add(grad, inner, turned, n, p);
    multiply({w.w2, m, true}, grad, p, wide, p, m, d, p);
    times_slope(wide, inner, m * p, RELU);
    to.first.add(wide, t, turned, n, p);
    multiply<ADD>({w.w1, d, true}, wide, p, grad, p, d, m, p);
    layer_norm_backward(grad, k.y1, k.rstd1, w.g1, to.g1.data(), to.c1.data(), d, p);
    to.out.add(grad, k.o, turned, n, p);
    multiply({w.out_w, d, true}, grad, p, t, p, d, d, p);
    read_qkv(z, w, x, inner, p);
    block.clear_end(wide, 3 * d);
    for (const Sequence& s : block.sequences)
        for (int64_t h = 0; h < z.heads; ++h) {
            const int64_t at = h * head * p + s.lane;
            const float* q = inner + at;
            float* d_q = wide + at;
            attend_backward(q, q + d * p, q + 2 * d * p,
                            k.weights + s.weights + h * s.tokens * s.lanes(), k.o + at, t + at, d_q,
                            d_q + d * p, d_q + 2 * d * p, turned, head, s, p);
        }
    to.in.add(wide, x, turned, n, p);
    multiply<ADD>({w.in_w, d, true}, wide, p, grad, p, d, 3 * d, p);
}

// The input of layer l: kept for the first one, otherwise computed into `space`.
const float* layer_input(const TransformerSizes& z, const float* const* params, float* first,
                         int64_t l, const Block& block, float* space) {
    if (l == 0) return first;
    const Kept before(first + z.width * block.lanes + (l - 1) * block.kept(z), z, block.lanes);
    const Layer w = layer_at(params, l - 1);
    scale_and_shift(before.y2, w.g2, w.c2, space, z.width, block.lanes);
    return space;
}

}  // namespace

extern "C" {

int64_t nip_transformer_kept(const int64_t* sizes, const uint8_t* is_real) {
    const TransformerSizes& z = *reinterpret_cast<const TransformerSizes*>(sizes);
    int64_t total = 0;
    for (Block block; block.next(z, is_real);) total += block.all_kept(z);
    return total;
}

// `pattern`, (token, token), is 0 where a token, the row, may attend, else minus infinity.
void nip_transformer_forward(const int64_t* sizes, float eps, const float* input,
                             const float* pattern, const uint8_t* is_real,
                             const float* const* params, float* output, float* saved) {
    const TransformerSizes& z = *reinterpret_cast<const TransformerSizes*>(sizes);
    const float* const* last = params + 2 + PARTS * z.layers;
    const int64_t most = Block::most_lanes(z);
    Buffer x(z.width * most), scratch(std::max(z.width + z.inner(), z.outs) * most), space;
    clear(output, z.batch * z.length * z.outs);
    for (Block block; block.next(z, is_real);) {
        block.read(z, pattern);
        const int64_t p = block.lanes;
        if (!saved) space.resize((z.ins + z.width) * p + block.kept(z));
        float *features = saved ? saved : space.data(), *first = features + z.ins * p;
        block.gather(input, z.ins, features);
        multiply<BIAS_OF_ROW>({params[0], z.ins}, features, p, first, p, z.width, z.ins, p,
                              params[1]);
        std::copy_n(first, z.width * p, x.data());
        for (int64_t l = 0; l < z.layers; ++l) {
            const Kept kept(first + z.width * p + (saved ? l * block.kept(z) : 0), z, p);
            layer_forward(z, layer_at(params, l), block, kept, x.data(), scratch.data(), eps);
        }
        multiply<BIAS_OF_ROW>({last[0], z.width}, x.data(), p, scratch.data(), p, z.outs, z.width,
                              p, last[1]);
        block.scatter(scratch.data(), z.outs, output);
        if (saved) saved += block.all_kept(z);
    }
}

void nip_transformer_backward(const int64_t* sizes, const float* d_output, const float* pattern,
                              const uint8_t* is_real, const float* const* params, float* saved,
                              float* d_input, float* const* d_params) {
    const TransformerSizes& z = *reinterpret_cast<const TransformerSizes*>(sizes);
    const int64_t wide = std::max({z.ins, z.outs, z.width}), most = Block::most_lanes(z);
    const float* const* last = params + 2 + PARTS * z.layers;
    Buffer x(z.width * most), grad(z.width * most), outer(wide * most);
    const int64_t turned = std::max(padded(z.hidden), padded(wide)) * most;
    const int64_t squares = 2 * padded(z.length) * padded(z.length);
    Buffer scratch((z.width + 2 * z.inner()) * most + std::max(turned, squares));
    std::vector<LayerGradients> gradients(z.layers, LayerGradients(z));
    MapGradients of_first(z.width, z.ins), of_last(z.outs, z.width);
    clear(d_input, z.batch * z.length * z.ins);
    for (Block block; block.next(z, is_real);) {
        const int64_t p = block.lanes, n = block.tokens;
        float *features = saved, *first = features + z.ins * p;
        const auto input = [&](int64_t l) {
            return layer_input(z, params, first, l, block, x.data());
        };
        block.gather(d_output, z.outs, outer.data());
        of_last.add(outer.data(), input(z.layers), scratch.data(), n, p);
        multiply({last[0], z.width, true}, outer.data(), p, grad.data(), p, z.width, z.outs, p);
        for (int64_t l = z.layers - 1; l >= 0; --l) {
            const Kept kept(first + z.width * p + l * block.kept(z), z, p);
            layer_backward(z, layer_at(params, l), block, kept, input(l), grad.data(),
                           scratch.data(), gradients[l]);
        }
        of_first.add(grad.data(), features, scratch.data(), n, p);
        multiply({params[0], z.ins, true}, grad.data(), p, outer.data(), p, z.ins, z.width, p);
        block.scatter(outer.data(), z.ins, d_input);
        saved += block.all_kept(z);
    }
    of_first.write(d_params);
    for (int64_t l = 0; l < z.layers; ++l) gradients[l].write(d_params + 2 + PARTS * l);
    of_last.write(d_params + 2 + PARTS * z.layers);
}

}  // extern "C"
