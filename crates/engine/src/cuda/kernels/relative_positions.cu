// Biases of attention by distance, from and to a table[buckets, heads]; bucket_of[distances] has the table's row for
// every distance. Blocks of 256 threads, any grid.
#include "common.cuh"

// values[heads, distances] = table at the bucket of the distance.
extern "C" __global__ void __launch_bounds__(THREADS)
    bias_values(float *values, const float *table, const int *bucket_of, int heads, int distances) {
    const int all = heads * distances;
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < all; i += gridDim.x * THREADS)
        values[i] = table[bucket_of[i % distances] * heads + i / distances];
}

// slopes[heads, distances] = Σ over sequences and tiles of parts[sequences, heads, tiles, distances], in that order.
extern "C" __global__ void __launch_bounds__(THREADS)
    bias_slopes(float *slopes, const float *parts, int sequences, int heads, int tiles, int distances) {
    const int all = heads * distances;
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < all; i += gridDim.x * THREADS) {
        float sum = 0.0f;
        for (int s = 0; s < sequences; s++)
            for (int tile = 0; tile < tiles; tile++)
                sum += parts[((static_cast<long long>(s) * heads + i / distances) * tiles + tile) * distances +
                             i % distances];
        slopes[i] = sum;
    }
}

// d_table[buckets, heads] = Σ of slopes[heads, distances] over the distances of a bucket, in order.
extern "C" __global__ void __launch_bounds__(THREADS)
    bias_table_gradient(float *d_table, const float *slopes, const int *bucket_of, int buckets, int heads,
                        int distances) {
    const int all = buckets * heads;
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < all; i += gridDim.x * THREADS) {
        const float *from = slopes + static_cast<long long>(i % heads) * distances;
        float sum = 0.0f;
        for (int d = 0; d < distances; d++)
            if (bucket_of[d] == i / heads) sum += from[d];
        d_table[i] = sum;
    }
}
