// AdamW over the chunks of all tensors at once. Blocks of 256 threads, one a chunk (any grid is right).
#include "common.cuh"

// A part of a parameter: its elements, both moments, its gradient, and the decay, already times the rate.
struct Chunk {
    float *w, *m, *v;
    const float *g;
    long long n;
    float decay, unused;
};

// partial[count] = Σ g² of every chunk.
extern "C" __global__ void __launch_bounds__(THREADS) sum_squares(double *partial, const Chunk *chunks, int count) {
    __shared__ double scratch[WARP];
    for (int i = blockIdx.x; i < count; i += gridDim.x) {
        const Chunk chunk = chunks[i];
        const bool whole = aligned(chunk.g);
        double sum = 0.0;
        for (long long at = 4ll * threadIdx.x; at < chunk.n; at += 4 * THREADS) {
            const float4 g = load4(chunk.g, at, chunk.n, whole);
            sum += static_cast<double>(sum4(times4(g, g)));
        }
        sum = block_sum(sum, scratch);
        if (threadIdx.x == 0) partial[i] = sum;
    }
}

// One update of every chunk, gradients times `factor` first; c1, c2 are the bias corrections 1/(1 − βᵗ).
extern "C" __global__ void __launch_bounds__(THREADS) adamw(const Chunk *chunks, int count, float factor, float rate,
                                                            float beta1, float beta2, float eps, float c1, float c2) {
    for (int i = blockIdx.x; i < count; i += gridDim.x) {
        const Chunk chunk = chunks[i];
        const bool whole = aligned(chunk.w) && aligned(chunk.m) && aligned(chunk.v) && aligned(chunk.g);
        const float keep = 1.0f - chunk.decay;
        for (long long at = 4ll * threadIdx.x; at < chunk.n; at += 4 * THREADS) {
            const float4 g = map4(load4(chunk.g, at, chunk.n, whole), [=](float g) { return g * factor; });
            const float4 first = map4(load4(chunk.m, at, chunk.n, whole), g,
                                      [=](float m, float g) { return fmaf(beta1, m, (1.0f - beta1) * g); });
            const float4 second = map4(load4(chunk.v, at, chunk.n, whole), g,
                                       [=](float v, float g) { return fmaf(beta2, v, (1.0f - beta2) * (g * g)); });
            const float4 step = map4(first, second, [=](float m, float v) { return (m * c1) / (sqrtf(v * c2) + eps); });
            store4(chunk.m, at, chunk.n, whole, first);
            store4(chunk.v, at, chunk.n, whole, second);
            store4(chunk.w, at, chunk.n, whole, map4(load4(chunk.w, at, chunk.n, whole), step, [=](float w, float s) {
                       return w * keep - rate * s;
                   }));
        }
    }
}
