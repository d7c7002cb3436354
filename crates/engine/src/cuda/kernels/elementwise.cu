// Functions of every element. Blocks of 256 threads, a grid of any number of blocks, no shared memory; a result may
// stand where an input stood.
#include "common.cuh"

// out = f(x).
template <class F>
__device__ __forceinline__ void map_elements(float *out, const float *x, long long n, F f) {
    const bool whole = aligned(out) && aligned(x);
    each4(n, [&](long long i) { store4(out, i, n, whole, map4(load4(x, i, n, whole), f)); });
}

// out = f(a, b).
template <class F>
__device__ __forceinline__ void map_elements(float *out, const float *a, const float *b, long long n, F f) {
    const bool whole = aligned(out) && aligned(a) && aligned(b);
    each4(n, [&](long long i) { store4(out, i, n, whole, map4(load4(a, i, n, whole), load4(b, i, n, whole), f)); });
}

// out = a + b.
extern "C" __global__ void __launch_bounds__(THREADS) add(float *out, const float *a, const float *b, long long n) {
    map_elements(out, a, b, n, [](float x, float y) { return x + y; });
}

// out = factor · x.
extern "C" __global__ void __launch_bounds__(THREADS) scale(float *out, const float *x, float factor, long long n) {
    map_elements(out, x, n, [=](float v) { return v * factor; });
}

// out = by[0] · factor · x: times the gradient at a loss, which stays on the device.
extern "C" __global__ void __launch_bounds__(THREADS)
    scale_by(float *out, const float *x, const float *by, float factor, long long n) {
    const float f = by[0] * factor;
    map_elements(out, x, n, [=](float v) { return v * f; });
}

// out = value.
extern "C" __global__ void __launch_bounds__(THREADS) fill(float *out, float value, long long n) {
    const bool whole = aligned(out);
    each4(n, [&](long long i) { store4(out, i, n, whole, make_float4(value, value, value, value)); });
}

// out = by[0] · factor: the gradient of a mean.
extern "C" __global__ void __launch_bounds__(THREADS) fill_by(float *out, const float *by, float factor, long long n) {
    const bool whole = aligned(out);
    const float value = by[0] * factor;
    each4(n, [&](long long i) { store4(out, i, n, whole, make_float4(value, value, value, value)); });
}

// da = by[0] · factor · (a − b), db = −da: the gradient of a squared error.
extern "C" __global__ void __launch_bounds__(THREADS)
    difference_by(float *da, float *db, const float *a, const float *b, const float *by, float factor, long long n) {
    const bool whole = aligned(da) && aligned(db) && aligned(a) && aligned(b);
    const float f = by[0] * factor;
    each4(n, [&](long long i) {
        const float4 d = map4(load4(a, i, n, whole), load4(b, i, n, whole),
                              [=](float x, float y) { return f * (x - y); });
        store4(da, i, n, whole, d);
        store4(db, i, n, whole, map4(d, [](float v) { return -v; }));
    });
}

// x rounded to bf16, to nearest, ties to even.
extern "C" __global__ void __launch_bounds__(THREADS) round_bf16(unsigned short *out, const float *x, long long n) {
    const bool whole = aligned(out) && aligned(x);
    each4(n, [&](long long i) {
        const float4 v = load4(x, i, n, whole);
        if (whole && i + 4 <= n) {
            *reinterpret_cast<uint2 *>(out + i) = make_uint2(to_bf16_pair(v.x, v.y), to_bf16_pair(v.z, v.w));
            return;
        }
        const float values[4] = {v.x, v.y, v.z, v.w};
        for (int j = 0; j < 4 && i + j < n; j++) out[i + j] = to_bf16(values[j]);
    });
}

// out = x·Φ(x).
extern "C" __global__ void __launch_bounds__(THREADS) gelu(float *out, const float *x, long long n) {
    map_elements(out, x, n, [](float v) { return gelu_value(v); });
}

// The GELU by its tanh approximation.
extern "C" __global__ void __launch_bounds__(THREADS) gelu_tanh(float *out, const float *x, long long n) {
    map_elements(out, x, n, [](float v) { return gelu_tanh_value(v); });
}

extern "C" __global__ void __launch_bounds__(THREADS) tanh_forward(float *out, const float *x, long long n) {
    map_elements(out, x, n, [](float v) { return tanhf(v); });
}

extern "C" __global__ void __launch_bounds__(THREADS) relu(float *out, const float *x, long long n) {
    map_elements(out, x, n, [](float v) { return fmaxf(v, 0.0f); });
}

// dx = dy · gelu′(x), x being what the activation was applied to; likewise below.
extern "C" __global__ void __launch_bounds__(THREADS)
    gelu_backward(float *dx, const float *x, const float *dy, long long n) {
    map_elements(dx, x, dy, n, [](float v, float d) { return d * gelu_slope(v); });
}

extern "C" __global__ void __launch_bounds__(THREADS)
    gelu_tanh_backward(float *dx, const float *x, const float *dy, long long n) {
    map_elements(dx, x, dy, n, [](float v, float d) { return d * gelu_tanh_slope(v); });
}

extern "C" __global__ void __launch_bounds__(THREADS)
    tanh_backward(float *dx, const float *x, const float *dy, long long n) {
    map_elements(dx, x, dy, n, [](float v, float d) {
        const float t = tanhf(v);
        return d * (1.0f - t * t);
    });
}

// x may be the result as well.
extern "C" __global__ void __launch_bounds__(THREADS)
    relu_backward(float *dx, const float *x, const float *dy, long long n) {
    map_elements(dx, x, dy, n, [](float v, float d) { return v > 0.0f ? d : 0.0f; });
}

// out[t, n] = gelu(x[t, :n]) · x[t, n:2n], the GELU by its tanh approximation if `approximate`. Blocks take rows in
// turn. Not in place.
extern "C" __global__ void __launch_bounds__(THREADS)
    geglu(float *out, const float *x, long long t, int n, int approximate) {
    const bool whole = n % 4 == 0 && aligned(out) && aligned(x);
    for (long long row = blockIdx.x; row < t; row += gridDim.x) {
        const float *gate = x + 2 * row * n, *up = gate + n;
        for (int column = 4 * threadIdx.x; column < n; column += 4 * THREADS) {
            const float4 v = map4(load4(gate, column, n, whole), load4(up, column, n, whole), [=](float g, float u) {
                return (approximate ? gelu_tanh_value(g) : gelu_value(g)) * u;
            });
            store4(out + row * n, column, n, whole, v);
        }
    }
}

// Gradient dx[t, 2n] of geglu from dy[t, n].
extern "C" __global__ void __launch_bounds__(THREADS)
    geglu_backward(float *dx, const float *x, const float *dy, long long t, int n, int approximate) {
    const bool whole = n % 4 == 0 && aligned(dx) && aligned(x) && aligned(dy);
    const auto times = [](float a, float b) { return a * b; };
    for (long long row = blockIdx.x; row < t; row += gridDim.x) {
        const long long start = 2 * row * n;
        for (int column = 4 * threadIdx.x; column < n; column += 4 * THREADS) {
            const float4 gate = load4(x + start, column, n, whole), up = load4(x + start + n, column, n, whole);
            const float4 d = load4(dy + row * n, column, n, whole);
            const float4 slope = map4(gate, [=](float g) { return approximate ? gelu_tanh_slope(g) : gelu_slope(g); });
            const float4 value = map4(gate, [=](float g) { return approximate ? gelu_tanh_value(g) : gelu_value(g); });
            store4(dx + start, column, n, whole, map4(map4(d, up, times), slope, times));
            store4(dx + start + n, column, n, whole, map4(d, value, times));
        }
    }
}

// out[tokens, width] = x times the mask of dropout: a function of `key`, the batch row of the token's sequence
// (rows[sequence[r]]), the token's position in it (r − offsets[sequence[r]]) and the column; threshold = ⌊rate · 2³²⌋,
// keep = 1/(1 − rate). Its own backward. Blocks take rows in turn.
extern "C" __global__ void __launch_bounds__(THREADS)
    dropout(float *out, const float *x, const unsigned long long *rows, const int *offsets, const int *sequence,
            unsigned long long key, unsigned long long threshold, float keep, int tokens, int width) {
    const bool whole = width % 4 == 0 && aligned(out) && aligned(x);
    for (int row = blockIdx.x; row < tokens; row += gridDim.x) {
        const int s = sequence[row];
        const Key row_key = derive(derive(key, rows[s]), row - offsets[s]);
        const long long start = static_cast<long long>(row) * width;
        for (int column = 4 * threadIdx.x; column < width; column += 4 * THREADS) {
            const float2 first = dropout_pair(row_key, column / 2, threshold, keep),
                         second = dropout_pair(row_key, column / 2 + 1, threshold, keep);
            const float4 mask = make_float4(first.x, first.y, second.x, second.y);
            store4(out + start, column, width, whole,
                   map4(load4(x + start, column, width, whole), mask, [](float v, float m) { return v * m; }));
        }
    }
}
