// Normalisation of rows. Blocks of 256 threads, a warp a row, and unless said otherwise any number of blocks: ⌈rows / 8⌉
// give each warp one.
#include "common.cuh"

// Vectors of eight that a lane holds of a row of up to 1024 elements.
constexpr int HELD = 4;
constexpr int LONGEST_HELD = 8 * WARP * HELD;

// How the lanes of a warp share a row of n elements. Rows that are held consist of whole aligned vectors, 4 a lane at
// most: the loop over them is unrolled, so that arrays by vector are registers. In others vectors may be aligned, too.
template <bool HOLDS>
struct Row {
    int n;
    bool whole;

    // Calls f(i, column) for the lane's vectors; i numbers them.
    template <class F>
    __device__ __forceinline__ void each(F f) const {
        const int first = 8 * (threadIdx.x % WARP);
        if (HOLDS) {
#pragma unroll
            for (int i = 0; i < HELD; i++)
                if (first + 8 * WARP * i < n) f(i, first + 8 * WARP * i);
        } else {
            each_column8(n, [&](int column) { f(0, column); });
        }
    }
    template <class T>
    __device__ __forceinline__ float8 load(const T *p, int column) const {
        return HOLDS ? load8(p + column) : load8(p, column, n, whole);
    }
    template <class T>
    __device__ __forceinline__ void store(T *p, int column, float8 v) const {
        if (HOLDS)
            store8(p + column, v);
        else
            store8(p, column, n, whole, v);
    }
    // (v − mean)·rstd, zero beyond the row.
    __device__ __forceinline__ float8 normalized(float8 v, int column, float mean, float rstd) const {
        const auto at = [=](float x, int column) { return HOLDS || column < n ? (x - mean) * rstd : 0.0f; };
        return {make_float4(at(v.low.x, column), at(v.low.y, column + 1), at(v.low.z, column + 2),
                            at(v.low.w, column + 3)),
                make_float4(at(v.high.x, column + 4), at(v.high.y, column + 5), at(v.high.z, column + 6),
                            at(v.high.w, column + 7))};
    }
};

// Calls f with the Row of n elements; `whole` if all addresses of vectors are aligned.
template <class F>
__device__ __forceinline__ void with_row(int n, bool whole, F f) {
    if (whole && n <= LONGEST_HELD)
        f(Row<true>{n, whole});
    else
        f(Row<false>{n, whole});
}

// What a row of results is written to: as f32 unless `exact` is null, and rounded to bf16 unless `rounded` is.
struct Results {
    float *exact;
    bf16 *rounded;

    __device__ __forceinline__ Results at(long long start) const {
        return {exact != nullptr ? exact + start : nullptr, rounded != nullptr ? rounded + start : nullptr};
    }
    template <bool HOLDS>
    __device__ __forceinline__ void put(Row<HOLDS> row, int column, float8 v) const {
        if (exact != nullptr) row.store(exact, column, v);
        if (rounded != nullptr) row.store(rounded, column, v);
    }
    __device__ __forceinline__ bool are_aligned() const { return aligned(exact) && aligned(rounded); }
};

// One row of layer normalisation, or if RMS of root-mean-square normalisation (mean 0).
template <bool RMS, bool HOLDS, class T>
__device__ __forceinline__ void normalize_row(Row<HOLDS> row, Results out, float *sum, const T *x,
                                              const float *residual, const float *gamma, const float *beta, float eps,
                                              float &mean, float &rstd) {
    float8 held[HOLDS ? HELD : 1];
    // Where the sum with the residual is not held in registers, the lane that wrote a vector reads it again.
    float *kept = sum != nullptr ? sum : out.exact;
    float total = 0.0f;
    row.each([&](int i, int column) {
        float8 v = row.load(x, column);
        if (residual != nullptr) v = add8(v, row.load(residual, column));
        if (HOLDS) held[i] = v;
        if (sum != nullptr || (!HOLDS && residual != nullptr)) row.store(kept, column, v);
        total += sum8(RMS ? times8(v, v) : v);
    });
    const auto at = [&](int i, int column) {
        if (HOLDS) return held[i];
        return residual != nullptr ? row.load(kept, column) : row.load(x, column);
    };
    total = warp_sum(total);
    mean = RMS ? 0.0f : total / row.n;
    if (!RMS) {
        float squares = 0.0f;
        row.each([&](int i, int column) {
            const float8 d = row.normalized(at(i, column), column, mean, 1.0f);
            squares += sum8(times8(d, d));
        });
        total = warp_sum(squares);
    }
    rstd = 1.0f / sqrtf(total / row.n + eps);
    row.each([&](int i, int column) {
        float8 v = times8(row.normalized(at(i, column), column, mean, rstd), row.load(gamma, column));
        if (beta != nullptr) v = add8(v, row.load(beta, column));
        out.put(row, column, v);
    });
}

// y = (s − mean)/√(var + eps)·gamma (+ beta) of every row of s = x (+ residual), all [t, n]; residual and beta may be
// null. `out` gets y and `rounded` y as bf16; one of them may be null, `out` only without a residual. `sum` gets s
// unless null; statistics[t, 2] get mean and 1/σ. Not in place.
extern "C" __global__ void __launch_bounds__(THREADS)
    layer_norm(float *out, bf16 *rounded, float *sum, float *statistics, const void *x, int narrow,
               const float *residual, const float *gamma, const float *beta, float eps, int t, int n) {
    const Results results = {out, rounded};
    const bool whole = n % 8 == 0 && results.are_aligned() && aligned(sum) && aligned(x) && aligned(residual) &&
                       aligned(gamma) && aligned(beta);
    with_type(narrow, [&](auto type) {
        const auto *from = static_cast<const decltype(type) *>(x);
        with_row(n, whole, [&](auto of_row) {
            each_row(t, [&](long long row) {
                const long long start = row * n;
                float mean, rstd;
                normalize_row<false>(of_row, results.at(start), sum != nullptr ? sum + start : nullptr, from + start,
                                     residual != nullptr ? residual + start : nullptr, gamma, beta, eps, mean, rstd);
                if (threadIdx.x % WARP == 0) {
                    statistics[2 * row] = mean;
                    statistics[2 * row + 1] = rstd;
                }
            });
        });
    });
}

// y = x/√(mean(x²) + eps)·gamma of every row of x[t, n]; `out` gets y and `rounded` y as bf16, one of which may be null;
// inverses[t] get 1/√(mean(x²) + eps). Not in place.
extern "C" __global__ void __launch_bounds__(THREADS)
    rms_norm(float *out, bf16 *rounded, float *inverses, const void *x, int narrow, const float *gamma, float eps,
             int t, int n) {
    const Results results = {out, rounded};
    const bool whole = n % 8 == 0 && results.are_aligned() && aligned(x) && aligned(gamma);
    with_type(narrow, [&](auto type) {
        const auto *from = static_cast<const decltype(type) *>(x);
        with_row(n, whole, [&](auto of_row) {
            each_row(t, [&](long long row) {
                const long long start = row * n;
                float mean, inverse;
                normalize_row<true>(of_row, results.at(start), nullptr, from + start, nullptr, gamma, nullptr, eps, mean,
                                    inverse);
                if (threadIdx.x % WARP == 0) inverses[row] = inverse;
            });
        });
    });
}

// One row of the gradient at what was normalised. Where rows are held the row's part of the gradients at gamma and beta
// is added to the lane's sums.
template <bool RMS, bool HOLDS, class T, class D>
__device__ __forceinline__ void normalize_row_backward(Row<HOLDS> row, Results dx, float8 *at_gamma, float8 *at_beta,
                                                       const T *x, const float *gamma, const D *dy, float mean,
                                                       float rstd) {
    const auto hat = [&](int column) { return row.normalized(row.load(x, column), column, mean, rstd); };
    float sum = 0.0f, inner = 0.0f;
    row.each([&](int i, int column) {
        const float8 h = hat(column), d = row.load(dy, column), g = times8(d, row.load(gamma, column));
        if (HOLDS) {
            at_gamma[i] = add8(at_gamma[i], times8(d, h));
            if (!RMS) at_beta[i] = add8(at_beta[i], d);
        }
        sum += sum8(g);
        inner += sum8(times8(g, h));
    });
    const float a = RMS ? 0.0f : warp_sum(sum) / row.n, b = warp_sum(inner) / row.n;
    // The row is near: holding it in registers beside the sums would leave room for half as many warps.
    row.each([&](int, int column) {
        const float8 g = times8(row.load(dy, column), row.load(gamma, column));
        dx.put(row, column, map8(g, hat(column), [=](float g, float h) { return rstd * (g - a - h * b); }));
    });
}

// out[n] = the sums of the lanes' parts over the warps of the block.
__device__ __forceinline__ void add_warps(float *out, float (*sums)[LONGEST_HELD], Row<true> row,
                                          const float8 *parts) {
    row.each([&](int i, int column) { store8(sums[threadIdx.x / WARP] + column, parts[i]); });
    __syncthreads();
    for (int column = threadIdx.x; column < row.n; column += THREADS) {
        float sum = 0.0f;
        for (int warp = 0; warp < ROWS; warp++) sum += sums[warp][column];
        out[column] = sum;
    }
    __syncthreads();
}

// The gradients of the block's rows, start to end − 1, at what was normalised, and their sums at gamma and, unless RMS,
// beta: partial[n], or [2n].
template <bool RMS, bool HOLDS, class T, class D>
__device__ __forceinline__ void normalize_rows_backward(Row<HOLDS> row, Results dx, float *partial, const T *x,
                                                        const float *statistics, const float *gamma, const D *dy,
                                                        int start, int end, float (*sums)[LONGEST_HELD]) {
    const float8 zero = {make_float4(0.0f, 0.0f, 0.0f, 0.0f), make_float4(0.0f, 0.0f, 0.0f, 0.0f)};
    float8 at_gamma[HOLDS ? HELD : 1], at_beta[HOLDS && !RMS ? HELD : 1];
    for (float8 &part : at_gamma) part = zero;
    for (float8 &part : at_beta) part = zero;
    const auto mean = [=](long long r) { return RMS ? 0.0f : statistics[2 * r]; };
    const auto rstd = [=](long long r) { return RMS ? statistics[r] : statistics[2 * r + 1]; };
    for (long long r = start + static_cast<int>(threadIdx.x / WARP); r < end; r += ROWS)
        normalize_row_backward<RMS>(row, dx.at(r * row.n), at_gamma, at_beta, x + r * row.n, gamma, dy + r * row.n,
                                    mean(r), rstd(r));
    if constexpr (HOLDS) {
        add_warps(partial, sums, row, at_gamma);
        if (!RMS) add_warps(partial + row.n, sums, row, at_beta);
    } else {
        for (int column = threadIdx.x; column < row.n; column += THREADS) {
            float dgamma = 0.0f, dbeta = 0.0f;
            for (long long r = start; r < end; r++) {
                const float d = value_of(dy[r * row.n + column]);
                dgamma += d * ((value_of(x[r * row.n + column]) - mean(r)) * rstd(r));
                dbeta += d;
            }
            partial[column] = dgamma;
            if (!RMS) partial[row.n + column] = dbeta;
        }
    }
}

template <bool RMS>
__device__ __forceinline__ void normalize_backward(Results dx, float *partial, const void *x, int x_narrow,
                                                   const float *statistics, const float *gamma, const void *dy,
                                                   int dy_narrow, int t, int n, int rows_per_block,
                                                   float (*sums)[LONGEST_HELD]) {
    const bool whole = n % 8 == 0 && dx.are_aligned() && aligned(x) && aligned(gamma) && aligned(dy);
    const int start = blockIdx.x * rows_per_block, end = min(start + rows_per_block, t);
    float *part = partial + static_cast<long long>(blockIdx.x) * (RMS ? n : 2 * n);
    with_type(x_narrow, [&](auto of_x) {
        with_type(dy_narrow, [&](auto of_dy) {
            with_row(n, whole, [&](auto row) {
                normalize_rows_backward<RMS>(row, dx, part, static_cast<const decltype(of_x) *>(x), statistics, gamma,
                                             static_cast<const decltype(of_dy) *>(dy), start, end, sums);
            });
        });
    });
}

// Gradient of layer_norm at x[t, n], what was normalised; `dx` gets it and `rounded` gets it as bf16, one of which may be
// null. partial[gridDim.x, 2n]: of the rows of each block, first the gradient at gamma, then that at beta. Grid
// ⌈t / rows_per_block⌉. Not in place.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    layer_norm_backward(float *dx, bf16 *rounded, float *partial, const void *x, int x_narrow, const float *statistics,
                        const float *gamma, const void *dy, int dy_narrow, int t, int n, int rows_per_block) {
    __shared__ __align__(16) float sums[ROWS][LONGEST_HELD];
    normalize_backward<false>({dx, rounded}, partial, x, x_narrow, statistics, gamma, dy, dy_narrow, t, n,
                              rows_per_block, sums);
}

// The same of rms_norm, with partial[gridDim.x, n] that at gamma.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    rms_norm_backward(float *dx, bf16 *rounded, float *partial, const void *x, int x_narrow, const float *inverses,
                      const float *gamma, const void *dy, int dy_narrow, int t, int n, int rows_per_block) {
    __shared__ __align__(16) float sums[ROWS][LONGEST_HELD];
    normalize_backward<true>({dx, rounded}, partial, x, x_narrow, inverses, gamma, dy, dy_narrow, t, n, rows_per_block,
                             sums);
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
