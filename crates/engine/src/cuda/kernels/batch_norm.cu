// Batch normalisation of x[m, n] by column, sums in double precision. Unless said otherwise grid ⌈n / 32⌉, block (32,
// 8).
#include "common.cuh"

// Mean and biased variance of every column.
extern "C" __global__ void __launch_bounds__(THREADS)
    column_statistics(float *mean, float *variance, const float *x, int m, int n) {
    __shared__ double sums[ROWS][WARP];
    __shared__ double means[WARP];
    const int column = blockIdx.x * WARP + threadIdx.x;
    double sum = 0.0;
    if (column < n)
        for (int row = threadIdx.y; row < m; row += ROWS) sum += x[static_cast<long long>(row) * n + column];
    const double total = column_total(sums, sum);
    if (threadIdx.y == 0) means[threadIdx.x] = total / m;
    __syncthreads();
    double squares = 0.0;
    if (column < n)
        for (int row = threadIdx.y; row < m; row += ROWS) {
            const double d = x[static_cast<long long>(row) * n + column] - means[threadIdx.x];
            squares += d * d;
        }
    const double all_squares = column_total(sums, squares);
    if (threadIdx.y == 0 && column < n) {
        mean[column] = static_cast<float>(means[threadIdx.x]);
        variance[column] = static_cast<float>(all_squares / m);
    }
}

// normalized = (x − mean)/√(variance + eps), out = normalized·gamma + beta, inverse[n] = 1/√(variance + eps). Blocks of
// 256 threads, any grid.
extern "C" __global__ void __launch_bounds__(THREADS)
    batch_norm(float *out, float *normalized, float *inverse, const float *x, const float *mean, const float *variance,
               const float *gamma, const float *beta, float eps, int m, int n) {
    const long long all = static_cast<long long>(m) * n, step = static_cast<long long>(gridDim.x) * THREADS;
    for (long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x; i < all; i += step) {
        const int column = static_cast<int>(i % n);
        const float r = 1.0f / sqrtf(variance[column] + eps), y = (x[i] - mean[column]) * r;
        if (i < n) inverse[column] = r;
        normalized[i] = y;
        out[i] = y * gamma[column] + beta[column];
    }
}

// Gradients of batch_norm; through the statistics too if they are `own`.
extern "C" __global__ void __launch_bounds__(THREADS)
    batch_norm_backward(float *dx, float *dgamma, float *dbeta, const float *normalized, const float *inverse,
                        const float *gamma, const float *dy, int own, int m, int n) {
    __shared__ double sums[ROWS][WARP];
    __shared__ double totals[2][WARP];
    const int column = blockIdx.x * WARP + threadIdx.x;
    double at_gamma = 0.0, at_beta = 0.0;
    if (column < n)
        for (int row = threadIdx.y; row < m; row += ROWS) {
            const long long i = static_cast<long long>(row) * n + column;
            at_gamma += static_cast<double>(dy[i]) * normalized[i];
            at_beta += dy[i];
        }
    at_gamma = column_total(sums, at_gamma);
    at_beta = column_total(sums, at_beta);
    if (threadIdx.y == 0) {
        totals[0][threadIdx.x] = at_gamma;
        totals[1][threadIdx.x] = at_beta;
        if (column < n) {
            dgamma[column] = static_cast<float>(at_gamma);
            dbeta[column] = static_cast<float>(at_beta);
        }
    }
    __syncthreads();
    if (column >= n) return;
    const double share = own ? 1.0 / m : 0.0, factor = gamma[column] * inverse[column];
    for (int row = threadIdx.y; row < m; row += ROWS) {
        const long long i = static_cast<long long>(row) * n + column;
        dx[i] = static_cast<float>(factor *
                                   (dy[i] - share * (totals[1][threadIdx.x] + normalized[i] * totals[0][threadIdx.x])));
    }
}
