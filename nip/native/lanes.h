// Vectors of float32 and functions of their lanes.
#pragma once
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

namespace {

// Loops over a few numbers or vectors, which stay in registers only if they are written out.
#define UNROLLED _Pragma("GCC unroll 16")
// Within a larger function, the compiler finds too few registers for some loops.
#define NOT_INLINED __attribute__((noinline))
// Sixteen numbers where they do not slow the clock down: earlier processors with AVX-512 lower it.
#if defined(__AVX512F__) && defined(__AVX512VBMI2__)
constexpr int64_t LANES = 16;
#else
constexpr int64_t LANES = 8;
#endif
typedef float Vec __attribute__((vector_size(4 * LANES)));
typedef int32_t IntVec __attribute__((vector_size(4 * LANES)));

// Numbers that begin where a vector may: one that lies in two cache lines takes twice the time.
template <class Type>
struct Aligned {
    using value_type = Type;
    static constexpr std::align_val_t AT{64};
    Aligned() = default;
    template <class Other>
    Aligned(const Aligned<Other>&) {}
    Type* allocate(std::size_t n) { return (Type*)::operator new(n * sizeof(Type), AT); }
    void deallocate(Type* at, std::size_t) { ::operator delete(at, AT); }
    bool operator==(const Aligned&) const { return true; }
    bool operator!=(const Aligned&) const { return false; }
};
using Buffer = std::vector<float, Aligned<float>>;

inline Vec load(const float* from) {
    Vec value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
inline void store(float* to, Vec value) { std::memcpy(to, &value, sizeof value); }
inline int64_t padded(int64_t size) { return (size + LANES - 1) / LANES * LANES; }
inline Vec larger(Vec one, Vec other) { return one > other ? one : other; }
inline float sum(Vec value) {
    typedef float Quad __attribute__((vector_size(16)));
    Quad total{};
    for (int64_t part = 0; part < LANES / 4; ++part) {
        Quad four;
        std::memcpy(&four, reinterpret_cast<const char*>(&value) + 16 * part, sizeof four);
        total += four;
    }
    return (total[0] + total[2]) + (total[1] + total[3]);
}

// Cephes' expf of numbers up to 88, to about one unit in the last place; 0 below -87. NaN stays
// NaN.
inline Vec small_exponential(Vec x) {
    const Vec low = Vec{} - 87.0f;
    const Vec bounded = x < low ? low : x;
    const Vec shifted = bounded * 1.44269504f + 12582912.0f;  // Rounds to the nearest integer.
    const Vec n = shifted - 12582912.0f;
    const Vec r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
    Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    IntVec bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    const IntVec exponent = (bits - 0x4B400000 + 127) << 23;
    Vec power;
    std::memcpy(&power, &exponent, sizeof power);
    return x < low ? Vec{} : p * power;
}
inline Vec exponential(Vec x) {
    const Vec high = Vec{} + 88.0f;
    return small_exponential(x > high ? high : x);
}

// The rational approximation of Eigen and XLA, to a few units in the last place.
inline Vec hyperbolic_tangent(Vec x) {
    const Vec bound = Vec{} + 7.90531110763549805f;
    Vec z = x > bound ? bound : x;
    z = z < -bound ? -bound : z;
    const Vec square = z * z;
    Vec p = square * -2.76076847742355e-16f + 2.00018790482477e-13f;
    p = p * square - 8.60467152213735e-11f;
    p = p * square + 5.12229709037114e-08f;
    p = p * square + 1.48572235717979e-05f;
    p = p * square + 6.37261928875436e-04f;
    p = p * square + 4.89352455891786e-03f;
    Vec q = square * 1.19825839466702e-06f + 1.18534705686654e-04f;
    q = q * square + 2.26843463243900e-03f;
    q = q * square + 4.89352518554385e-03f;
    return z * p / q;
}

enum Activation { RELU, SIGMOID, TANH };

template <int KIND>
inline Vec activated(Vec x) {
    if (KIND == TANH) return hyperbolic_tangent(x);
    if (KIND == SIGMOID) return 1.0f / (1.0f + exponential(-x));
    return x < 0.0f ? Vec{} : x;
}
// The derivative, given the value of the activation.
inline Vec slope(Vec y, int64_t kind) {
    if (kind == TANH) return 1.0f - y * y;
    if (kind == SIGMOID) return y * (1.0f - y);
    return y > 0.0f ? Vec{} + 1.0f : Vec{};
}
template <int KIND>
void activate_all(const float* from, float* to, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) store(to + i, activated<KIND>(load(from + i)));
}
void activate(const float* from, float* to, int64_t count, int64_t kind) {
    if (kind == TANH) activate_all<TANH>(from, to, count);
    else if (kind == SIGMOID) activate_all<SIGMOID>(from, to, count);
    else activate_all<RELU>(from, to, count);
}
void times_slope(float* gradient, const float* value, int64_t count, int64_t kind) {
    for (int64_t i = 0; i < count; i += LANES)
        store(gradient + i, load(gradient + i) * slope(load(value + i), kind));
}

// Where nothing is to be cleared, there may be no address.
inline void clear(float* to, int64_t count) {
    if (count > 0) std::memset(to, 0, count * sizeof *to);
}
inline void add_to(float* to, Vec value) { store(to, load(to) + value); }
void add_to(float* to, const float* from, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) store(to + i, load(to + i) + load(from + i));
}

int64_t real_ones(const uint8_t* mask, int64_t count, int64_t* indices) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; ++i)
        if (mask[i]) indices[found++] = i;
    return found;
}

}  // namespace
