// Sums over all elements, in two stages so that their order is fixed, and over columns.
#include "common.cuh"

// partial[block] = Σ f(i) over the elements i of the block, f giving a double. Any grid; `scratch` has room for 32.
template <class F>
__device__ __forceinline__ void partial_sum(double *partial, long long n, double *scratch, F f) {
    double sum = 0.0;
    const long long step = static_cast<long long>(gridDim.x) * THREADS;
    for (long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x; i < n; i += step) sum += f(i);
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// partial[gridDim.x] of Σ x. Any grid.
extern "C" __global__ void __launch_bounds__(THREADS) sum(double *partial, const float *x, long long n) {
    __shared__ double scratch[WARP];
    partial_sum(partial, n, scratch, [=](long long i) { return static_cast<double>(x[i]); });
}

// partial[gridDim.x] of Σ (a − b)². Any grid.
extern "C" __global__ void __launch_bounds__(THREADS)
    squared_error(double *partial, const float *a, const float *b, long long n) {
    __shared__ double scratch[WARP];
    partial_sum(partial, n, scratch, [=](long long i) {
        const double difference = a[i] - b[i];
        return difference * difference;
    });
}

// partial[gridDim.x] of Σ ln cosh x; slope = tanh x. Any grid.
extern "C" __global__ void __launch_bounds__(THREADS)
    log_cosh(double *partial, float *slope, const float *x, long long n) {
    __shared__ double scratch[WARP];
    partial_sum(partial, n, scratch, [=](long long i) {
        const double magnitude = fabs(static_cast<double>(x[i]));
        const double e = exp(-2.0 * magnitude);
        slope[i] = static_cast<float>(copysign((1.0 - e) / (1.0 + e), static_cast<double>(x[i])));
        return magnitude + log1p(e) - 0.6931471805599453;
    });
}

// out[0] = factor · Σ partial. One block.
extern "C" __global__ void __launch_bounds__(THREADS) total(float *out, const double *partial, int n, double factor) {
    __shared__ double scratch[WARP];
    double sum = 0.0;
    for (int i = threadIdx.x; i < n; i += THREADS) sum += partial[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) out[0] = static_cast<float>(factor * sum);
}

// out[groups, n]: sums of every `rows_per_block` rows of x[rows, n] by column, 8 of which are a thread's. Grid (⌈n / 256⌉,
// groups), block (32, 8).
extern "C" __global__ void __launch_bounds__(THREADS)
    column_sums(float *out, const void *x, int narrow, int rows, int n, int rows_per_block) {
    __shared__ __align__(16) float sums[ROWS][8 * WARP];
    const int column = 8 * (blockIdx.x * WARP + threadIdx.x);
    const int start = blockIdx.y * rows_per_block, end = min(start + rows_per_block, rows);
    const bool whole = n % 8 == 0 && aligned(x);
    with_type(narrow, [&](auto type) {
        const auto *from = static_cast<const decltype(type) *>(x);
        float8 sum = {make_float4(0.0f, 0.0f, 0.0f, 0.0f), make_float4(0.0f, 0.0f, 0.0f, 0.0f)};
#pragma unroll 4
        for (int row = start + threadIdx.y; row < end; row += ROWS)
            sum = add8(sum, load8(from + static_cast<long long>(row) * n, column, n, whole));
        store8(sums[threadIdx.y] + 8 * threadIdx.x, sum);
    });
    __syncthreads();
    const int own = threadIdx.y * WARP + threadIdx.x, at = 8 * WARP * blockIdx.x + own;
    float total = 0.0f;
    for (int i = 0; i < ROWS; i++) total += sums[i][own];
    if (at < n) out[static_cast<long long>(blockIdx.y) * n + at] = total;
}
