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
// by the opposite; values are copied. Row r is at position r − offsets[sequence[r]]. May be in place. Blocks take rows
// in turn.
extern "C" __global__ void __launch_bounds__(THREADS)
    rotary(float *out, const float *x, const float *angles, const int *offsets, const int *sequence, int tokens,
           int hidden, int heads, int back) {
    const int width = hidden / heads, half = width / 2;
    for (long long row = blockIdx.x; row < tokens; row += gridDim.x) {
        const float *from = x + row * 3 * hidden;
        float *to = out + row * 3 * hidden;
        const float2 *at = reinterpret_cast<const float2 *>(angles) +
                           static_cast<long long>(row - offsets[sequence[row]]) * half;
        for (int i = threadIdx.x; i < hidden; i += THREADS) {
            // Pair i of the queries and keys: heads follow one another.
            const int first = i / half * width + i % half, second = first + half;
            const float2 angle = at[i % half];
            const float sine = back ? -angle.x : angle.x, a = from[first], b = from[second];
            to[first] = a * angle.y - b * sine;
            to[second] = b * angle.y + a * sine;
            to[2 * hidden + i] = from[2 * hidden + i];
        }
    }
}
