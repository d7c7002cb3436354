// Normalisation of rows. Unless said otherwise blocks of 256 threads, a warp a row, and any number of blocks: ⌈rows /
// 8⌉ give each warp one.
#include "common.cuh"

// Vectors of four that a lane holds of a row of up to 1024 elements.
constexpr int HELD = 8;
constexpr int LONGEST_HELD = 4 * WARP * HELD;

// Calls f(i, column) for the lane's vectors of a row of n; i numbers them. Rows that are held have the loop unrolled,
// so that arrays by i are registers.
template <bool HOLDS, class F>
__device__ __forceinline__ void each_vector(int n, F f) {
    const int first = 4 * (threadIdx.x % WARP);
    if (HOLDS) {
#pragma unroll
        for (int i = 0; i < HELD; i++)
            if (first + 4 * WARP * i < n) f(i, first + 4 * WARP * i);
    } else {
        each_column4(n, [&](int column) { f(0, column); });
    }
}

// (v − mean)·rstd, zero beyond the row.
__device__ __forceinline__ float4 normalized4(float4 v, int column, int n, float mean, float rstd) {
    return make_float4((v.x - mean) * rstd, column + 1 < n ? (v.y - mean) * rstd : 0.0f,
                       column + 2 < n ? (v.z - mean) * rstd : 0.0f, column + 3 < n ? (v.w - mean) * rstd : 0.0f);
}

// One row of layer normalisation, or if RMS of root-mean-square normalisation (mean 0).
template <bool RMS, bool HOLDS>
__device__ __forceinline__ void normalize_row(float *out, float *sum, const float *x, const float *residual,
                                              const float *gamma, const float *beta, float eps, int n, bool whole,
                                              float &mean, float &rstd) {
    float4 held[HOLDS ? HELD : 1];
    // Where the sum with the residual is not held in registers, the lane that wrote a vector reads it again.
    float *kept = sum != nullptr ? sum : out;
    float total = 0.0f;
    each_vector<HOLDS>(n, [&](int i, int column) {
        float4 v = load4(x, column, n, whole);
        if (residual != nullptr) v = add4(v, load4(residual, column, n, whole));
        if (HOLDS) held[i] = v;
        if (sum != nullptr || (!HOLDS && residual != nullptr)) store4(kept, column, n, whole, v);
        total += sum4(RMS ? times4(v, v) : v);
    });
    const auto at = [&](int i, int column) {
        if (HOLDS) return held[i];
        return load4(residual != nullptr ? kept : x, column, n, whole);
    };
    total = warp_sum(total);
    mean = RMS ? 0.0f : total / n;
    if (!RMS) {
        float squares = 0.0f;
        each_vector<HOLDS>(n, [&](int i, int column) {
            const float4 d = normalized4(at(i, column), column, n, mean, 1.0f);
            squares += sum4(times4(d, d));
        });
        total = warp_sum(squares);
    }
    rstd = 1.0f / sqrtf(total / n + eps);
    each_vector<HOLDS>(n, [&](int i, int column) {
        float4 v = times4(normalized4(at(i, column), column, n, mean, rstd), load4(gamma, column, n, whole));
        if (beta != nullptr) v = add4(v, load4(beta, column, n, whole));
        store4(out, column, n, whole, v);
    });
}

template <bool RMS>
__device__ __forceinline__ void normalize_row(float *out, float *sum, const float *x, const float *residual,
                                              const float *gamma, const float *beta, float eps, int n, bool whole,
                                              float &mean, float &rstd) {
    if (n <= LONGEST_HELD)
        normalize_row<RMS, true>(out, sum, x, residual, gamma, beta, eps, n, whole, mean, rstd);
    else
        normalize_row<RMS, false>(out, sum, x, residual, gamma, beta, eps, n, whole, mean, rstd);
}

// out = (s − mean)/√(var + eps)·gamma (+ beta) of every row of s = x (+ residual), all [t, n]; residual and beta may be
// null. `sum` gets s unless null; statistics[t, 2] get mean and 1/σ. Not in place.
extern "C" __global__ void __launch_bounds__(THREADS)
    layer_norm(float *out, float *sum, float *statistics, const float *x, const float *residual, const float *gamma,
               const float *beta, float eps, int t, int n) {
    const bool whole = n % 4 == 0 && aligned(out) && aligned(sum) && aligned(x) && aligned(residual) &&
                       aligned(gamma) && aligned(beta);
    each_row(t, [&](long long row) {
        const long long start = row * n;
        float mean, rstd;
        normalize_row<false>(out + start, sum != nullptr ? sum + start : nullptr, x + start,
                             residual != nullptr ? residual + start : nullptr, gamma, beta, eps, n, whole, mean, rstd);
        if (threadIdx.x % WARP == 0) {
            statistics[2 * row] = mean;
            statistics[2 * row + 1] = rstd;
        }
    });
}

// out = x/√(mean(x²) + eps)·gamma of every row of x[t, n]; inverses[t] get 1/√(mean(x²) + eps). Not in place.
extern "C" __global__ void __launch_bounds__(THREADS)
    rms_norm(float *out, float *inverses, const float *x, const float *gamma, float eps, int t, int n) {
    const bool whole = n % 4 == 0 && aligned(out) && aligned(x) && aligned(gamma);
    each_row(t, [&](long long row) {
        float mean, inverse;
        normalize_row<true>(out + row * n, nullptr, x + row * n, nullptr, gamma, nullptr, eps, n, whole, mean, inverse);
        if (threadIdx.x % WARP == 0) inverses[row] = inverse;
    });
}

// One row of the gradient at what was normalised.
template <bool RMS, bool HOLDS>
__device__ __forceinline__ void normalize_row_backward(float *dx, const float *x, const float *gamma, const float *dy,
                                                       int n, bool whole, float mean, float rstd) {
    float4 hats[HOLDS ? HELD : 1];
    const auto hat = [&](int column) { return normalized4(load4(x, column, n, whole), column, n, mean, rstd); };
    const auto slope = [&](int column) { return times4(load4(dy, column, n, whole), load4(gamma, column, n, whole)); };
    float sum = 0.0f, inner = 0.0f;
    each_vector<HOLDS>(n, [&](int i, int column) {
        const float4 h = hat(column), g = slope(column);
        if (HOLDS) hats[i] = h;
        sum += sum4(g);
        inner += sum4(times4(g, h));
    });
    const float a = RMS ? 0.0f : warp_sum(sum) / n, b = warp_sum(inner) / n;
    each_vector<HOLDS>(n, [&](int i, int column) {
        const float4 h = HOLDS ? hats[i] : hat(column), g = slope(column);
        store4(dx, column, n, whole, map4(g, h, [=](float g, float h) { return rstd * (g - a - h * b); }));
    });
}

template <bool RMS>
__device__ __forceinline__ void normalize_backward(float *dx, const float *x, const float *statistics,
                                                   const float *gamma, const float *dy, int t, int n) {
    const bool whole = n % 4 == 0 && aligned(dx) && aligned(x) && aligned(gamma) && aligned(dy);
    each_row(t, [&](long long row) {
        const long long start = row * n;
        const float mean = RMS ? 0.0f : statistics[2 * row], rstd = RMS ? statistics[row] : statistics[2 * row + 1];
        if (n <= LONGEST_HELD)
            normalize_row_backward<RMS, true>(dx + start, x + start, gamma, dy + start, n, whole, mean, rstd);
        else
            normalize_row_backward<RMS, false>(dx + start, x + start, gamma, dy + start, n, whole, mean, rstd);
    });
}

// Gradient dx[t, n] of layer_norm at x[t, n], what was normalised. dx may be dy.
extern "C" __global__ void __launch_bounds__(THREADS)
    layer_norm_backward(float *dx, const float *x, const float *statistics, const float *gamma, const float *dy, int t,
                        int n) {
    normalize_backward<false>(dx, x, statistics, gamma, dy, t, n);
}

// Gradient dx[t, n] of rms_norm. dx may be dy.
extern "C" __global__ void __launch_bounds__(THREADS)
    rms_norm_backward(float *dx, const float *x, const float *inverses, const float *gamma, const float *dy, int t,
                      int n) {
    normalize_backward<true>(dx, x, inverses, gamma, dy, t, n);
}

// partial[groups, 2n]: of each `rows_per_block` rows, first the gradient at gamma, then that at beta. Grid (⌈n / 32⌉,
// groups), block (32, 8).
extern "C" __global__ void __launch_bounds__(THREADS)
    layer_norm_parameters(float *partial, const float *x, const float *statistics, const float *dy, int t, int n,
                          int rows_per_block) {
    __shared__ float sums[ROWS][WARP];
    const int column = blockIdx.x * WARP + threadIdx.x;
    const int start = blockIdx.y * rows_per_block, end = min(start + rows_per_block, t);
    float dgamma = 0.0f, dbeta = 0.0f;
    if (column < n)
        for (int row = start + threadIdx.y; row < end; row += ROWS) {
            const float d = dy[static_cast<long long>(row) * n + column];
            dgamma += d * ((x[static_cast<long long>(row) * n + column] - statistics[2ll * row]) *
                           statistics[2ll * row + 1]);
            dbeta += d;
        }
    const float at_gamma = column_total(sums, dgamma), at_beta = column_total(sums, dbeta);
    if (threadIdx.y == 0 && column < n) {
        partial[2ll * blockIdx.y * n + column] = at_gamma;
        partial[(2ll * blockIdx.y + 1) * n + column] = at_beta;
    }
}

// partial[groups, n]: of each `rows_per_block` rows the gradient at gamma. Grid (⌈n / 32⌉, groups), block (32, 8).
extern "C" __global__ void __launch_bounds__(THREADS)
    rms_norm_parameters(float *partial, const float *x, const float *inverses, const float *dy, int t, int n,
                        int rows_per_block) {
    __shared__ float sums[ROWS][WARP];
    const int column = blockIdx.x * WARP + threadIdx.x;
    const int start = blockIdx.y * rows_per_block, end = min(start + rows_per_block, t);
    float dgamma = 0.0f;
    if (column < n)
        for (int row = start + threadIdx.y; row < end; row += ROWS) {
            const long long at = static_cast<long long>(row) * n + column;
            dgamma += dy[at] * (x[at] * inverses[row]);
        }
    const float total = column_total(sums, dgamma);
    if (threadIdx.y == 0 && column < n) partial[static_cast<long long>(blockIdx.y) * n + column] = total;
}

// ⟨a, b⟩ of two rows of n, in every lane.
__device__ __forceinline__ float row_dot(const float *a, const float *b, int n, bool whole) {
    float sum = 0.0f;
    each_column4(n, [&](int column) { sum += sum4(times4(load4(a, column, n, whole), load4(b, column, n, whole))); });
    return warp_sum(sum);
}

// Norms below this are taken as this.
constexpr float SMALLEST_NORM = 1e-12f;

// out = x/norm of every row of x[m, n], norms[m] = max(‖x‖₂, 1e-12). May be in place.
extern "C" __global__ void __launch_bounds__(THREADS)
    l2_normalize(float *out, float *norms, const float *x, int m, int n) {
    const bool whole = n % 4 == 0 && aligned(out) && aligned(x);
    each_row(m, [&](long long row) {
        const float *from = x + row * n;
        const float norm = fmaxf(sqrtf(row_dot(from, from, n, whole)), SMALLEST_NORM), inverse = 1.0f / norm;
        each_column4(n, [&](int column) {
            store4(out + row * n, column, n, whole,
                   map4(load4(from, column, n, whole), [=](float v) { return v * inverse; }));
        });
        if (threadIdx.x % WARP == 0) norms[row] = norm;
    });
}

// Gradient of l2_normalize from its result y[m, n]. dx may be dy.
extern "C" __global__ void __launch_bounds__(THREADS)
    l2_normalize_backward(float *dx, const float *y, const float *norms, const float *dy, int m, int n) {
    const bool whole = n % 4 == 0 && aligned(dx) && aligned(y) && aligned(dy);
    each_row(m, [&](long long row) {
        const float *unit = y + row * n, *slope = dy + row * n;
        const float norm = norms[row], inverse = 1.0f / norm;
        const float inner = norm > SMALLEST_NORM ? row_dot(unit, slope, n, whole) : 0.0f;
        each_column4(n, [&](int column) {
            const float4 v = map4(load4(slope, column, n, whole), load4(unit, column, n, whole),
                                  [=](float d, float u) { return (d - inner * u) * inverse; });
            store4(dx + row * n, column, n, whole, v);
        });
    });
}

// out[m, c] = ⟨a_i, b_{i·c + j}⟩ of a[m, n] and b[m·c, n]. A warp an element.
extern "C" __global__ void __launch_bounds__(THREADS)
    dot_rows(float *out, const float *a, const float *b, int m, int c, int n) {
    const bool whole = n % 4 == 0 && aligned(a) && aligned(b);
    each_row(m * c, [&](long long at) {
        const float dot = row_dot(a + at / c * n, b + at * n, n, whole);
        if (threadIdx.x % WARP == 0) out[at] = dot;
    });
}

// Gradients of dot_rows: da_i = Σ_j dy_ij·b_{i·c + j}, db_{i·c + j} = dy_ij·a_i. A warp a row of a.
extern "C" __global__ void __launch_bounds__(THREADS)
    dot_rows_backward(float *da, float *db, const float *a, const float *b, const float *dy, int m, int c, int n) {
    const bool whole = n % 4 == 0 && aligned(da) && aligned(db) && aligned(a) && aligned(b);
    each_row(m, [&](long long row) {
        each_column4(n, [&](int column) {
            const float4 x = load4(a + row * n, column, n, whole);
            float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            for (long long at = row * c; at < (row + 1) * c; at++) {
                const float slope = dy[at];
                sum = map4(sum, load4(b + at * n, column, n, whole), [=](float s, float v) { return s + slope * v; });
                store4(db + at * n, column, n, whole, map4(x, [=](float v) { return slope * v; }));
            }
            store4(da + row * n, column, n, whole, sum);
        });
    });
}
