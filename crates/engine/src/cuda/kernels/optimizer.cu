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

// norm[0] = √(Σ partial), factor[0] = min(1, largest/norm) where the norm is finite and else 0: what gradients are
// multiplied by so that their norm is at most `largest`. One block.
extern "C" __global__ void __launch_bounds__(THREADS)
    clip_factor(float *factor, float *norm, const double *partial, int count, double largest) {
    __shared__ double scratch[WARP];
    double sum = 0.0;
    for (int i = threadIdx.x; i < count; i += THREADS) sum += partial[i];
    sum = sqrt(block_sum(sum, scratch));
    if (threadIdx.x != 0) return;
    norm[0] = static_cast<float>(sum);
    factor[0] = !(sum < infinity()) ? 0.0f : sum > largest ? static_cast<float>(largest / sum) : 1.0f;
}

__device__ __forceinline__ void update(const Chunk *chunks, int count, float factor, float rate, float beta1,
                                       float beta2, float eps, float c1, float c2) {
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

// One update of every chunk, gradients times `factor` first; c1, c2 are the bias corrections 1/(1 − βᵗ).
extern "C" __global__ void __launch_bounds__(THREADS) adamw(const Chunk *chunks, int count, float factor, float rate,
                                                            float beta1, float beta2, float eps, float c1, float c2) {
    update(chunks, count, factor, rate, beta1, beta2, eps, c1, c2);
}

// As adamw, the factor read from the device (by[0] · factor), so that the host need not wait for the norm.
extern "C" __global__ void __launch_bounds__(THREADS)
    adamw_by(const Chunk *chunks, int count, const float *by, float factor, float rate, float beta1, float beta2,
             float eps, float c1, float c2) {
    update(chunks, count, by[0] * factor, rate, beta1, beta2, eps, c1, c2);
}
