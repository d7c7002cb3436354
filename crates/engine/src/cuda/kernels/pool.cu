// One vector per sequence, and rotation by position. Blocks of 256 threads, any grid.
#include "common.cuh"

// out[sequences, h]: the mean of the rows starts[s] to ends[s] of x, zeros if there is none. A block a sequence.
extern "C" __global__ void __launch_bounds__(THREADS)
    pool(float *out, const float *x, const int *starts, const int *ends, int sequences, int h) {
    const bool whole = h % 4 == 0 && aligned(out) && aligned(x);
    for (int s = blockIdx.x; s < sequences; s += gridDim.x) {
        const int start = starts[s], end = ends[s];
        const float weight = 1.0f / max(end - start, 1);
        for (int column = 4 * threadIdx.x; column < h; column += 4 * THREADS) {
            float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll 4
            for (int row = start; row < end; row++)
                sum = add4(sum, load4(x + static_cast<long long>(row) * h, column, h, whole));
            store4(out + static_cast<long long>(s) * h, column, h, whole,
                   map4(sum, [=](float v) { return v * weight; }));
        }
    }
}

// Gradient dx[tokens, h] of pool: row r of sequence s = sequence[r] gets dy[s]/(ends[s] − starts[s]), or 0 outside. A
// warp a row: ⌈tokens / 8⌉ blocks give each one.
extern "C" __global__ void __launch_bounds__(THREADS)
    pool_backward(float *dx, const float *dy, const int *starts, const int *ends, const int *sequence, int tokens,
                  int h) {
    const bool whole = h % 4 == 0 && aligned(dx) && aligned(dy);
    each_row(tokens, [&](long long row) {
        const int s = sequence[row], start = starts[s], end = ends[s];
        const float weight = row >= start && row < end ? 1.0f / (end - start) : 0.0f;
        each_column4(h, [&](int column) {
            const float4 v = load4(dy + static_cast<long long>(s) * h, column, h, whole);
            store4(dx + row * h, column, h, whole, map4(v, [=](float d) { return weight * d; }));
        });
    });
}

// Rotates the query and key of every head of x[tokens, 3·hidden] by angles[position, width/2] of (sine, cosine), `back`
// by the opposite; values are copied. Row r is at position r − offsets[sequence[r]]. May be in place. A warp a row:
// ⌈tokens / 8⌉ blocks give each one.
extern "C" __global__ void __launch_bounds__(THREADS)
    rotary(void *out, const void *x, int narrow, const float *angles, const int *offsets, const int *sequence,
           int tokens, int hidden, int heads, int back) {
    const int width = hidden / heads, half = width / 2, vectors = (half + 7) / 8;
    const bool whole = half % 8 == 0 && hidden % 8 == 0 && aligned(out) && aligned(x) && aligned(angles);
    with_type(narrow, [&](auto type) {
        using T = decltype(type);
        each_row(tokens, [&](long long row) {
            const T *from = static_cast<const T *>(x) + row * 3 * hidden;
            T *to = static_cast<T *>(out) + row * 3 * hidden;
            const float *at = angles + static_cast<long long>(row - offsets[sequence[row]]) * 2 * half;
            // The heads of queries and keys follow one another.
            for (int v = threadIdx.x % WARP; v < 2 * heads * vectors; v += WARP) {
                const int start = v / vectors * width, i = v % vectors * 8;
                const float8 a = load8(from + start, i, half, whole), b = load8(from + start + half, i, half, whole);
                const float8 first = load8(at, 2 * i, 2 * half, whole), second = load8(at, 2 * i + 8, 2 * half, whole);
                const float sign = back ? -1.0f : 1.0f;
                const float8 sine = {make_float4(sign * first.low.x, sign * first.low.z, sign * first.high.x,
                                                 sign * first.high.z),
                                     make_float4(sign * second.low.x, sign * second.low.z, sign * second.high.x,
                                                 sign * second.high.z)};
                const float8 cosine = {make_float4(first.low.y, first.low.w, first.high.y, first.high.w),
                                       make_float4(second.low.y, second.low.w, second.high.y, second.high.w)};
                const auto minus = [](float x, float y) { return x - y; };
                store8(to + start, i, half, whole, map8(times8(a, cosine), times8(b, sine), minus));
                store8(to + start + half, i, half, whole, add8(times8(b, cosine), times8(a, sine)));
            }
            each_column8(hidden, [&](int column) {
                store8(to + 2 * hidden, column, hidden, whole, load8(from + 2 * hidden, column, hidden, whole));
            });
        });
    });
}
