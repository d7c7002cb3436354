// Softmax of rows of logits and losses of it. Blocks of 256 threads take rows in turn, in a grid of any number of
// blocks.
#include "common.cuh"

// A maximum and the sum of exponentials of what lies below it.
struct Normalizer {
    float top, sum;

    __device__ __forceinline__ void add(float x) {
        if (!(x <= top)) {
            sum = sum * __expf(top - x) + 1.0f;
            top = x;
        } else if (top > -infinity()) {
            sum += __expf(x - top);
        }
    }
};

// Room that the threads of a block share for sums.
struct Scratch {
    float maxima[WARP];
    double sums[WARP];
};

// The highest of the row's elements and the sum of exponentials relative to it, over the columns that are not excluded
// (of which there is at least one).
__device__ __forceinline__ Normalizer normalizer_of(const float *row, const unsigned char *excluded, int n,
                                                    Scratch &scratch, double &total) {
    const bool whole = aligned(row);
    Normalizer own = {-infinity(), 0.0f};
    for (int column = 4 * threadIdx.x; column < n; column += 4 * THREADS) {
        const float4 v = load4(row, column, n, whole);
        const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (column + i < n && (excluded == nullptr || !excluded[column + i])) own.add(values[i]);
    }
    const float top = block_max(own.top, scratch.maxima);
    total = block_sum(own.sum == 0.0f ? 0.0 : static_cast<double>(own.sum) * static_cast<double>(__expf(own.top - top)),
                      scratch.sums);
    return {top, static_cast<float>(total)};
}

// Cross-entropy of every row of logits[m, n] against a target that gives every column smoothing/n and the label the
// rest: losses[m], and slope[m, n] = (softmax − target)·factor, which may stand where the logits stood. A row with a
// negative label has loss and slope 0. Where `excluded[m, n]` (unless null) is not 0, the column is left out of the
// row's softmax and has slope 0; a label is not excluded.
extern "C" __global__ void __launch_bounds__(THREADS)
    cross_entropy(float *slope, double *losses, const float *logits, const int *labels, const unsigned char *excluded,
                  float factor, float smoothing, int m, int n) {
    __shared__ Scratch scratch;
    for (long long row = blockIdx.x; row < m; row += gridDim.x) {
        const float *x = logits + row * n;
        float *to = slope + row * n;
        const int label = labels[row];
        if (label < 0) {
            for (int column = threadIdx.x; column < n; column += THREADS) to[column] = 0.0f;
            if (threadIdx.x == 0) losses[row] = 0.0;
            continue;
        }
        const unsigned char *out = excluded != nullptr ? excluded + row * n : nullptr;
        const float gold = x[label];
        double total;
        const Normalizer all = normalizer_of(x, out, n, scratch, total);
        double mean = 0.0;
        if (smoothing > 0.0f) {
            for (int column = threadIdx.x; column < n; column += THREADS) mean += x[column];
            mean = block_sum(mean, scratch.sums) / n;
        }
        const double smooth = smoothing;
        if (threadIdx.x == 0)
            losses[row] = log(total) - ((1.0 - smooth) * (static_cast<double>(gold) - all.top) +
                                        (smoothing > 0.0f ? smooth * (mean - all.top) : 0.0));
        const bool whole = aligned(x) && aligned(to);
        const float share = factor / all.sum, everywhere = factor * smoothing / n,
                    at_label = factor * (1.0f - smoothing);
        for (int column = 4 * threadIdx.x; column < n; column += 4 * THREADS) {
            const float4 v = load4(x, column, n, whole);
            float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const bool taken = out == nullptr || (column + i < n && !out[column + i]);
                values[i] = (taken ? share * __expf(values[i] - all.top) : 0.0f) - everywhere -
                            (column + i == label ? at_label : 0.0f);
            }
            store4(to, column, n, whole, make_float4(values[0], values[1], values[2], values[3]));
        }
    }
}

// Divergence of softmax(q) from softmax(p) of every row: losses[m] = Σ P·(ln P − ln Q), and its slopes at p and q,
// divided by m.
extern "C" __global__ void __launch_bounds__(THREADS)
    softmax_divergence(float *at_p, float *at_q, double *losses, const float *p, const float *q, int m, int n) {
    __shared__ Scratch scratch;
    for (long long row = blockIdx.x; row < m; row += gridDim.x) {
        const float *x = p + row * n, *y = q + row * n;
        double total_p, total_q;
        const Normalizer of_p = normalizer_of(x, nullptr, n, scratch, total_p),
                         of_q = normalizer_of(y, nullptr, n, scratch, total_q);
        const float log_p = static_cast<float>(log(total_p)), log_q = static_cast<float>(log(total_q));
        double sum = 0.0;
        for (int column = threadIdx.x; column < n; column += THREADS) {
            const float a = x[column] - of_p.top - log_p, b = y[column] - of_q.top - log_q;
            sum += expf(a) * (a - b);
        }
        const double divergence = block_sum(sum, scratch.sums);
        if (threadIdx.x == 0) losses[row] = divergence;
        for (int column = threadIdx.x; column < n; column += THREADS) {
            const float a = x[column] - of_p.top - log_p, b = y[column] - of_q.top - log_q;
            at_p[row * n + column] = expf(a) * (a - b - static_cast<float>(divergence)) / m;
            at_q[row * n + column] = (expf(b) - expf(a)) / m;
        }
    }
}

// out[m] = log Σ_j e^x[i, j] of every row of x[m, n].
extern "C" __global__ void __launch_bounds__(THREADS) log_sum_exp(float *out, const float *x, int m, int n) {
    __shared__ Scratch scratch;
    for (long long row = blockIdx.x; row < m; row += gridDim.x) {
        double total;
        const Normalizer all = normalizer_of(x + row * n, nullptr, n, scratch, total);
        if (threadIdx.x == 0) out[row] = static_cast<float>(all.top + log(total));
    }
}
