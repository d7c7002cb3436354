// Functions of every element. Blocks of 256 threads, a grid of any number of blocks, no shared memory; a result may
// stand where an input stood.
#include "common.cuh"

// out = f(x).
template <class T, class F>
__device__ __forceinline__ void map_elements(T *out, const T *x, long long n, F f) {
    const bool whole = aligned(out) && aligned(x);
    each8(n, [&](long long i) { store8(out, i, n, whole, map8(load8(x, i, n, whole), f)); });
}

// out = f(a, b).
template <class T, class A, class B, class F>
__device__ __forceinline__ void map_elements(T *out, const A *a, const B *b, long long n, F f) {
    const bool whole = aligned(out) && aligned(a) && aligned(b);
    each8(n, [&](long long i) { store8(out, i, n, whole, map8(load8(a, i, n, whole), load8(b, i, n, whole), f)); });
}

// out = f(x), all of one type.
template <class F>
__device__ __forceinline__ void map_any(void *out, const void *x, int narrow, long long n, F f) {
    with_type(narrow, [&](auto type) {
        using T = decltype(type);
        map_elements(static_cast<T *>(out), static_cast<const T *>(x), n, f);
    });
}

// out = f(a, b), all of one type.
template <class F>
__device__ __forceinline__ void map_any(void *out, const void *a, const void *b, int narrow, long long n, F f) {
    with_type(narrow, [&](auto type) {
        using T = decltype(type);
        map_elements(static_cast<T *>(out), static_cast<const T *>(a), static_cast<const T *>(b), n, f);
    });
}

// out = a + b, each of a type of its own.
extern "C" __global__ void __launch_bounds__(THREADS)
    add(void *out, int out_narrow, const void *a, int a_narrow, const void *b, int b_narrow, long long n) {
    with_type(out_narrow, [&](auto of_out) {
        with_type(a_narrow, [&](auto of_a) {
            with_type(b_narrow, [&](auto of_b) {
                map_elements(static_cast<decltype(of_out) *>(out), static_cast<const decltype(of_a) *>(a),
                             static_cast<const decltype(of_b) *>(b), n, [](float x, float y) { return x + y; });
            });
        });
    });
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
extern "C" __global__ void __launch_bounds__(THREADS) round_bf16(bf16 *out, const float *x, long long n) {
    const bool whole = aligned(out) && aligned(x);
    each8(n, [&](long long i) { store8(out, i, n, whole, load8(x, i, n, whole)); });
}

// bf16 as f32. Not in place.
extern "C" __global__ void __launch_bounds__(THREADS) widen_bf16(float *out, const bf16 *x, long long n) {
    const bool whole = aligned(out) && aligned(x);
    each8(n, [&](long long i) { store8(out, i, n, whole, load8(x, i, n, whole)); });
}

// out = x·Φ(x).
extern "C" __global__ void __launch_bounds__(THREADS) gelu(void *out, const void *x, int narrow, long long n) {
    map_any(out, x, narrow, n, [](float v) { return gelu_value(v); });
}

// The GELU by its tanh approximation.
extern "C" __global__ void __launch_bounds__(THREADS) gelu_tanh(void *out, const void *x, int narrow, long long n) {
    map_any(out, x, narrow, n, [](float v) { return gelu_tanh_value(v); });
}

extern "C" __global__ void __launch_bounds__(THREADS) tanh_forward(void *out, const void *x, int narrow, long long n) {
    map_any(out, x, narrow, n, [](float v) { return tanhf(v); });
}

extern "C" __global__ void __launch_bounds__(THREADS) relu(void *out, const void *x, int narrow, long long n) {
    map_any(out, x, narrow, n, [](float v) { return fmaxf(v, 0.0f); });
}

// dx = dy · gelu′(x), x being what the activation was applied to; likewise below.
extern "C" __global__ void __launch_bounds__(THREADS)
    gelu_backward(void *dx, const void *x, const void *dy, int narrow, long long n) {
    map_any(dx, x, dy, narrow, n, [](float v, float d) { return d * gelu_slope(v); });
}

extern "C" __global__ void __launch_bounds__(THREADS)
    gelu_tanh_backward(void *dx, const void *x, const void *dy, int narrow, long long n) {
    map_any(dx, x, dy, narrow, n, [](float v, float d) { return d * gelu_tanh_slope(v); });
}

extern "C" __global__ void __launch_bounds__(THREADS)
    tanh_backward(void *dx, const void *x, const void *dy, int narrow, long long n) {
    map_any(dx, x, dy, narrow, n, [](float v, float d) {
        const float t = tanhf(v);
        return d * (1.0f - t * t);
    });
}

// x may be the result as well.
extern "C" __global__ void __launch_bounds__(THREADS)
    relu_backward(void *dx, const void *x, const void *dy, int narrow, long long n) {
    map_any(dx, x, dy, narrow, n, [](float v, float d) { return v > 0.0f ? d : 0.0f; });
}

// One row of geglu.
template <class T, class F>
__device__ __forceinline__ void geglu_row(T *out, const T *x, int n, bool whole, F value) {
    each_column8(n, [&](int column) {
        const float8 gate = load8(x, column, n, whole), up = load8(x + n, column, n, whole);
        store8(out, column, n, whole, map8(gate, up, [=](float g, float u) { return value(g) * u; }));
    });
}

// One row of its gradient.
template <class T, class F, class G>
__device__ __forceinline__ void geglu_row_backward(T *dx, const T *x, const T *dy, int n, bool whole, F value,
                                                   G slope) {
    each_column8(n, [&](int column) {
        const float8 gate = load8(x, column, n, whole), up = load8(x + n, column, n, whole),
                     d = load8(dy, column, n, whole);
        store8(dx, column, n, whole, times8(times8(d, up), map8(gate, slope)));
        store8(dx + n, column, n, whole, times8(d, map8(gate, value)));
    });
}

// out[t, n] = gelu(x[t, :n]) · x[t, n:2n], the GELU by its tanh approximation if `approximate`. A warp a row: ⌈t / 8⌉
// blocks give each one. Not in place.
extern "C" __global__ void __launch_bounds__(THREADS)
    geglu(void *out, const void *x, int narrow, int t, int n, int approximate) {
    const bool whole = n % 8 == 0 && aligned(out) && aligned(x);
    with_type(narrow, [&](auto type) {
        using T = decltype(type);
        each_row(t, [&](long long row) {
            T *to = static_cast<T *>(out) + row * n;
            const T *from = static_cast<const T *>(x) + 2 * row * n;
            if (approximate)
                geglu_row(to, from, n, whole, [](float g) { return gelu_tanh_value(g); });
            else
                geglu_row(to, from, n, whole, [](float g) { return gelu_value(g); });
        });
    });
}

// Gradient dx[t, 2n] of geglu from dy[t, n]. A warp a row, as there.
extern "C" __global__ void __launch_bounds__(THREADS)
    geglu_backward(void *dx, const void *x, const void *dy, int narrow, int t, int n, int approximate) {
    const bool whole = n % 8 == 0 && aligned(dx) && aligned(x) && aligned(dy);
    with_type(narrow, [&](auto type) {
        using T = decltype(type);
        each_row(t, [&](long long row) {
            T *to = static_cast<T *>(dx) + 2 * row * n;
            const T *from = static_cast<const T *>(x) + 2 * row * n, *d = static_cast<const T *>(dy) + row * n;
            if (approximate)
                geglu_row_backward(to, from, d, n, whole, [](float g) { return gelu_tanh_value(g); },
                                   [](float g) { return gelu_tanh_slope(g); });
            else
                geglu_row_backward(to, from, d, n, whole, [](float g) { return gelu_value(g); },
                                   [](float g) { return gelu_slope(g); });
        });
    });
}

// out[tokens, width] = x times the mask of dropout: a function of `key`, the batch row of the token's sequence
// (rows[sequence[r]]), the token's position in it (r − offsets[sequence[r]]) and the column; threshold = ⌊rate · 2³²⌋,
// keep = 1/(1 − rate). Its own backward. A warp a row: ⌈tokens / 8⌉ blocks give each one.
extern "C" __global__ void __launch_bounds__(THREADS)
    dropout(void *out, const void *x, int narrow, const unsigned long long *rows, const int *offsets,
            const int *sequence, unsigned long long key, unsigned long long threshold, float keep, int tokens,
            int width) {
    const bool whole = width % 8 == 0 && aligned(out) && aligned(x);
    with_type(narrow, [&](auto type) {
        using T = decltype(type);
        each_row(tokens, [&](long long row) {
            const int s = sequence[row];
            const Key row_key = derive(derive(key, rows[s]), row - offsets[s]);
            const T *from = static_cast<const T *>(x) + row * width;
            T *to = static_cast<T *>(out) + row * width;
            each_column8(width, [&](int column) {
                const auto mask = [=](int column) {
                    const float2 first = dropout_pair(row_key, column / 2, threshold, keep),
                                 second = dropout_pair(row_key, column / 2 + 1, threshold, keep);
                    return make_float4(first.x, first.y, second.x, second.y);
                };
                const float8 v = load8(from, column, width, whole);
                store8(to, column, width, whole, times8(v, {mask(column), mask(column + 4)}));
            });
        });
    });
}
