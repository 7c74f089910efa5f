// Log-probability and entropy of actions, each a symbol at a position of a channel.
#pragma once
#include "lanes.h"

namespace {

// Actions of one kind: logits (batch, channel, position, symbol), the chosen symbols, and whether
// those of a channel take effect.
struct ActionKind {
    int64_t channels, positions, symbols;
};

// Logits of one position, filled up to a whole number of vectors by some that are impossible. Only
// differences of large numbers are exact, so that these are taken relative to the largest.
struct Logits {
    Buffer x;
    float largest = 0.0f;
    explicit Logits(int64_t symbols) : x(padded(symbols)) {}
    void read(const float* from, int64_t symbols) {
        largest = from[0];
        for (int64_t s = 1; s < symbols; ++s) largest = from[s] > largest ? from[s] : largest;
        const float level = std::fabs(largest) < 64.0f ? 0.0f : largest;
        for (int64_t s = 0; s < symbols; ++s) x[s] = from[s] - level;
        largest -= level;
        std::fill(x.begin() + symbols, x.end(), largest - 200.0f);
    }
};

}  // namespace

extern "C" {

// Return whether all symbols exist; otherwise the results are not complete. `entropies` is null if
// they are not needed. For each position, `kept` has the logarithm of the sum of exponentials of the
// logits as they are read, and the entropy.
int nip_action_statistics_forward(int64_t batch, int64_t num_kinds, const int64_t* sizes,
                                  const float* const* logits, const int64_t* const* chosen,
                                  const uint8_t* const* counts, float* log_probs, float* entropies,
                                  float* kept) {
    clear(log_probs, batch);
    if (entropies) clear(entropies, batch);
    for (int64_t kind = 0; kind < num_kinds; ++kind) {
        const ActionKind& z = reinterpret_cast<const ActionKind*>(sizes)[kind];
        const float* from = logits[kind];
        const int64_t* symbol = chosen[kind];
        const uint8_t* count = counts[kind];
        Logits row(z.symbols);
        for (int64_t b = 0; b < batch; ++b)
            for (int64_t c = 0; c < z.channels; ++c, ++count)
                for (int64_t p = 0; p < z.positions; ++p, ++symbol, from += z.symbols) {
                    if (*symbol < 0 || *symbol >= z.symbols) return 0;
                    row.read(from, z.symbols);
                    Vec total{}, along{};
                    for (int64_t s = 0; s < padded(z.symbols); s += LANES) {
                        const Vec below = load(row.x.data() + s) - row.largest;
                        const Vec weight = small_exponential(below);
                        total += weight, along += weight * below;
                    }
                    const float scale = sum(total), log_scale = std::log(scale);
                    const float entropy = log_scale - sum(along) / scale;
                    log_probs[b] += *count * (row.x[*symbol] - row.largest - log_scale);
                    if (entropies) entropies[b] += *count * entropy;
                    *kept++ = row.largest + log_scale, *kept++ = entropy;
                }
    }
    return 1;
}

void nip_action_statistics_backward(int64_t batch, int64_t num_kinds, const int64_t* sizes,
                                    const float* d_log_probs, const float* d_entropies,
                                    const float* const* logits, const int64_t* const* chosen,
                                    const uint8_t* const* counts, const float* kept,
                                    float* const* d_logits) {
    for (int64_t kind = 0; kind < num_kinds; ++kind) {
        const ActionKind& z = reinterpret_cast<const ActionKind*>(sizes)[kind];
        const float* from = logits[kind];
        float* to = d_logits[kind];
        const int64_t* symbol = chosen[kind];
        const uint8_t* count = counts[kind];
        Logits row(z.symbols);
        for (int64_t b = 0; b < batch; ++b)
            for (int64_t c = 0; c < z.channels; ++c, ++count)
                for (int64_t p = 0; p < z.positions; ++p, ++symbol, kept += 2) {
                    // Of the log-probability of symbol j in logit i: 1[i = j] - p_i. Of the
                    // entropy: -p_i (log p_i + entropy).
                    const float of_log = *count * d_log_probs[b];
                    const float of_entropy = d_entropies ? *count * d_entropies[b] : 0.0f;
                    row.read(from, z.symbols);
                    for (int64_t s = 0; s < padded(z.symbols); s += LANES) {
                        const Vec logs = load(row.x.data() + s) - kept[0];
                        const Vec along = of_log + of_entropy * (logs + kept[1]);
                        store(row.x.data() + s, -small_exponential(logs) * along);
                    }
                    row.x[*symbol] += of_log;
                    std::memcpy(to, row.x.data(), z.symbols * sizeof(float));
                    from += z.symbols, to += z.symbols;
                }
    }
}

}  // extern "C"
