// Rows of tables by number, and columns. Blocks of 256 threads, any grid.
#include "common.cuh"

// out[r] = table[ids[r]], added to what stands there if `add`; t rows of d. A warp a row: ⌈t / 8⌉ blocks give each one.
extern "C" __global__ void __launch_bounds__(THREADS)
    embedding(float *out, const float *table, const unsigned int *ids, int t, int d, int add) {
    const bool whole = d % 4 == 0 && aligned(out) && aligned(table);
    each_row(t, [&](long long row) {
        const float *from = table + static_cast<long long>(ids[row]) * d;
        float *to = out + row * d;
        each_column4(d, [&](int column) {
            float4 v = load4(from, column, d, whole);
            if (add) v = add4(load4(to, column, d, whole), v);
            store4(to, column, d, whole, v);
        });
    });
}

// out[targets[g]] += Σ_j weights[j]·dy[order[j]] over starts[g] ≤ j < starts[g + 1], in that order; weights are 1 if
// null, targets differ. A block a group.
extern "C" __global__ void __launch_bounds__(THREADS)
    scatter_rows(float *out, const float *dy, const unsigned int *order, const float *weights,
                 const unsigned int *starts, const unsigned int *targets, int groups, int d) {
    // Rows that are fetched together: adding them is quick, waiting for them one by one is not.
    constexpr unsigned AHEAD = 4;
    const bool whole = d % 4 == 0 && aligned(out) && aligned(dy);
    for (int group = blockIdx.x; group < groups; group += gridDim.x) {
        const unsigned start = starts[group], end = starts[group + 1];
        float *to = out + static_cast<long long>(targets[group]) * d;
        for (int column = 4 * threadIdx.x; column < d; column += 4 * THREADS) {
            float4 sum = load4(to, column, d, whole);
            for (unsigned j = start; j < end; j += AHEAD) {
                float4 v[AHEAD];
                float weight[AHEAD];
#pragma unroll
                for (unsigned i = 0; i < AHEAD; i++) {
                    // Beyond the end the last row is fetched again and not added.
                    const unsigned at = j + i < end ? j + i : end - 1;
                    v[i] = load4(dy + static_cast<long long>(order[at]) * d, column, d, whole);
                    weight[i] = weights != nullptr ? weights[at] : 1.0f;
                }
#pragma unroll
                for (unsigned i = 0; i < AHEAD; i++)
                    if (j + i < end) sum = map4(sum, v[i], [&](float s, float x) { return s + weight[i] * x; });
            }
            store4(to, column, d, whole, sum);
        }
    }
}

// out[m, c] = x[m, n] at columns[c].
extern "C" __global__ void __launch_bounds__(THREADS)
    gather_columns(float *out, const float *x, const int *columns, int m, int c, int n) {
    const long long all = static_cast<long long>(m) * c, step = static_cast<long long>(gridDim.x) * THREADS;
    for (long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x; i < all; i += step)
        out[i] = x[i / c * n + columns[i % c]];
}

// dx[m, n] += dy[m, c] at columns[c], in the order of the columns. A thread a row.
extern "C" __global__ void __launch_bounds__(THREADS)
    gather_columns_backward(float *dx, const float *dy, const int *columns, int m, int c, int n) {
    const long long step = static_cast<long long>(gridDim.x) * THREADS;
    for (long long row = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x; row < m; row += step)
        for (int j = 0; j < c; j++) dx[row * n + columns[j]] += dy[row * c + j];
}
