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

// told = {scalars…, norm}, norm = √(Σ partial + elsewhere). factor[0] = min(1, limit / (norm + 1e-6)), or 1 without a
// limit; −1 where the norm or one of the first `losses` scalars is not finite. One block.
extern "C" __global__ void __launch_bounds__(THREADS)
    clip_factor(float *factor, double *told, const float *const *scalars, int count, int losses, const double *partial,
                int parts, double elsewhere, double limit) {
    __shared__ double scratch[WARP];
    double sum = 0.0;
    for (int i = threadIdx.x; i < parts; i += THREADS) sum += partial[i];
    const double norm = sqrt(block_sum(sum, scratch) + elsewhere);
    for (int i = threadIdx.x; i < count; i += THREADS) told[i] = static_cast<double>(*scalars[i]);
    if (threadIdx.x != 0) return;
    told[count] = norm;
    bool finite = norm < static_cast<double>(infinity());
    for (int i = 0; i < losses; i++) finite = finite && fabsf(*scalars[i]) < infinity();
    const double clipped = limit == 0.0 ? 1.0 : fmin(limit / (norm + 1e-6), 1.0);
    factor[0] = finite ? static_cast<float>(clipped) : -1.0f;
}

// One update of every chunk, gradients times factor[0] first, and none where that is negative; c1, c2 are the bias
// corrections 1/(1 − βᵗ).
extern "C" __global__ void __launch_bounds__(THREADS)
    adamw(const Chunk *chunks, int count, const float *by, float rate, float beta1, float beta2, float eps, float c1,
          float c2) {
    const float factor = by[0];
    if (factor < 0.0f) return;
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
